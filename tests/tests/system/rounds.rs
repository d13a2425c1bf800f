//! How long the long tests are. `make soak` sets these variables; without them the tests are as long as `make test`
//! can afford.

/// Kills of light workers that met work in flight: `SOAK_KILLS`.
pub fn kills() -> usize {
    or("SOAK_KILLS", 30)
}

/// Kills of dispatchers that lost them open or unacknowledged batches: `SOAK_DISPATCHER_KILLS`.
pub fn dispatcher_kills() -> usize {
    or("SOAK_DISPATCHER_KILLS", 30)
}

/// Kills of the standalone server: `SOAK_RESTARTS`.
pub fn restarts() -> usize {
    or("SOAK_RESTARTS", 6)
}

/// Requests that eight processes get at once: `SOAK_REQUESTS`.
pub fn requests() -> usize {
    or("SOAK_REQUESTS", 200)
}

/// Damaged files that a worker is given: `SOAK_DAMAGED`.
pub fn damaged() -> usize {
    or("SOAK_DAMAGED", 500)
}

/// Random tables that are written and read back: `SOAK_ROUND_TRIPS`.
pub fn round_trips() -> usize {
    or("SOAK_ROUND_TRIPS", 6)
}

/// Where randomness starts from: `SEED`, so that a run can be repeated, else the time. Say it in every failure.
pub fn seed() -> u64 {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap();
    std::env::var("SEED").map_or(now.as_millis() as u64, |text| text.parse().unwrap())
}

fn or(name: &str, default: usize) -> usize {
    std::env::var(name)
        .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}: no number")))
}
