//! How much waits at each outlet, and which of them hold up the others.
//!
//! | an outlet is | while | then |
//! |---|---|---|
//! | free | less waits there than its limit | |
//! | full | its limit was reached, and not half of it is free again | nothing more is read: the usual backpressure |
//! | stuck | it has been full for [`let_go_after`](super::BatchingConfig::let_go_after) | reading goes on for the others, what it is given is let go of |
//!
//! When a stuck outlet gets free, what was let go of is read again.

use std::time::Duration;

use super::{BatchingConfig, action::Outlet};
use crate::Lane;

/// What waits at one outlet.
#[derive(Debug)]
struct Queue {
    limit: usize,
    waiting: usize,
    full_since: Option<Duration>,
    stuck: bool,
}

/// What waits at all of them: objects of requests, and dead letters.
#[derive(Debug)]
pub(super) struct Load {
    light: Queue,
    heavy: Queue,
    letters: Queue,
    let_go_after: Option<Duration>,
}

impl Load {
    pub(super) fn new(config: &BatchingConfig) -> Self {
        // Where nothing is ever let go of, a lane may take all the room that there is.
        let lane = if config.let_go_after.is_some() { config.max_held.div_ceil(2) } else { usize::MAX };
        Self {
            light: Queue::new(lane),
            heavy: Queue::new(lane),
            letters: Queue::new(config.max_dead_letters),
            let_go_after: config.let_go_after,
        }
    }

    pub(super) fn add(&mut self, outlet: Outlet, number: usize) {
        self.queue_mut(outlet).waiting += number;
    }

    pub(super) fn settle(&mut self, outlet: Outlet, number: usize) {
        self.queue_mut(outlet).waiting -= number;
    }

    /// Sees who is full and who is stuck by now. Says whether an outlet is stuck no more.
    pub(super) fn weigh(&mut self, now: Duration) -> bool {
        let after = self.let_go_after;
        let queues = [&mut self.light, &mut self.heavy, &mut self.letters];
        queues.into_iter().filter_map(|queue| queue.weigh(now, after).then_some(())).count() > 0
    }

    /// Whether an outlet is stuck: what it is given is to be let go of.
    pub(super) fn is_stuck(&self, outlet: Outlet) -> bool {
        self.queue(outlet).stuck
    }

    /// Whether no outlet asks to wait for it, and there is a lane to go on for.
    pub(super) fn flows(&self) -> bool {
        let waits = |queue: &Queue| queue.full_since.is_some() && !queue.stuck;
        let none_waits = !Outlet::ALL.into_iter().any(|outlet| waits(self.queue(outlet)));
        none_waits && !(self.light.stuck && self.heavy.stuck)
    }

    /// Objects in requests that are not acknowledged.
    pub(super) fn objects(&self) -> usize {
        self.light.waiting + self.heavy.waiting
    }

    /// Those of stuck lanes: room that nobody gets back by waiting.
    pub(super) fn stuck_objects(&self) -> usize {
        [&self.light, &self.heavy].into_iter().filter(|queue| queue.stuck).map(|queue| queue.waiting).sum()
    }

    /// When the next outlet is stuck unless it gets free before.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        let after = self.let_go_after?;
        let full = Outlet::ALL.into_iter().map(|outlet| self.queue(outlet)).filter(|queue| !queue.stuck);
        full.filter_map(|queue| queue.full_since).map(|since| since.saturating_add(after)).min()
    }

    fn queue(&self, outlet: Outlet) -> &Queue {
        match outlet {
            Outlet::Lane(Lane::Light) => &self.light,
            Outlet::Lane(Lane::Heavy) => &self.heavy,
            Outlet::DeadLetters => &self.letters,
        }
    }

    fn queue_mut(&mut self, outlet: Outlet) -> &mut Queue {
        match outlet {
            Outlet::Lane(Lane::Light) => &mut self.light,
            Outlet::Lane(Lane::Heavy) => &mut self.heavy,
            Outlet::DeadLetters => &mut self.letters,
        }
    }
}

impl Queue {
    fn new(limit: usize) -> Self {
        Self { limit, waiting: 0, full_since: None, stuck: false }
    }

    fn weigh(&mut self, now: Duration, let_go_after: Option<Duration>) -> bool {
        if self.waiting >= self.limit {
            self.full_since.get_or_insert(now);
        } else if self.waiting < self.limit.div_ceil(2) {
            self.full_since = None;
        }
        let was_stuck = self.stuck;
        let full_for = self.full_since.map(|since| now.saturating_sub(since));
        self.stuck = full_for.zip(let_go_after).is_some_and(|(full_for, after)| full_for >= after);
        was_stuck && !self.stuck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAVY: Outlet = Outlet::Lane(Lane::Heavy);
    const LIGHT: Outlet = Outlet::Lane(Lane::Light);

    fn load() -> Load {
        let let_go_after = Some(Duration::from_secs(10));
        Load::new(&BatchingConfig { max_held: 16, max_dead_letters: 2, let_go_after, ..Default::default() })
    }

    fn at(load: &mut Load, seconds: u64) -> (bool, bool) {
        let recovered = load.weigh(Duration::from_secs(seconds));
        (load.flows(), recovered)
    }

    #[test]
    fn a_full_outlet_holds_up_the_others_for_a_while_only() {
        let mut load = load();
        load.add(HEAVY, 7);
        assert_eq!(at(&mut load, 0), (true, false));
        load.add(HEAVY, 1);
        assert_eq!(at(&mut load, 1), (false, false));
        assert_eq!(load.next_deadline(), Some(Duration::from_secs(11)));
        assert!(!load.is_stuck(HEAVY));
        assert_eq!(at(&mut load, 11), (true, false));
        assert!(load.is_stuck(HEAVY) && !load.is_stuck(LIGHT));
        assert_eq!((load.next_deadline(), load.stuck_objects()), (None, 8));
        load.settle(HEAVY, 4);
        assert_eq!(at(&mut load, 12), (true, false), "half is held still");
        load.settle(HEAVY, 1);
        assert_eq!(at(&mut load, 13), (true, true));
        assert!(!load.is_stuck(HEAVY));
    }

    #[test]
    fn nothing_flows_when_both_lanes_are_stuck() {
        let mut load = load();
        load.add(HEAVY, 8);
        load.add(LIGHT, 8);
        at(&mut load, 0);
        assert_eq!(at(&mut load, 10), (false, false));
        load.settle(LIGHT, 5);
        assert_eq!(at(&mut load, 11), (true, true));
    }

    #[test]
    fn dead_letters_are_an_outlet_like_the_others() {
        let mut load = load();
        load.add(Outlet::DeadLetters, 2);
        assert!(!at(&mut load, 0).0);
        assert!(at(&mut load, 10).0 && load.is_stuck(Outlet::DeadLetters));
        load.settle(Outlet::DeadLetters, 2);
        assert_eq!(at(&mut load, 11), (true, true));
    }

    #[test]
    fn without_a_limit_of_time_nothing_is_let_go_of() {
        let mut load = Load::new(&BatchingConfig { max_held: 4, let_go_after: None, ..Default::default() });
        load.add(HEAVY, 1_000);
        load.add(Outlet::DeadLetters, 1_000);
        assert_eq!(at(&mut load, 0), (false, false));
        assert_eq!(at(&mut load, 1_000_000), (false, false));
        assert!(!load.is_stuck(HEAVY) && !load.is_stuck(Outlet::DeadLetters));
        assert_eq!(load.next_deadline(), None);
    }
}
