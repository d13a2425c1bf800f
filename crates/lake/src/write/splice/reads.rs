//! Which bytes to ask for at once: few large requests, for pieces that stand anywhere.

use std::ops::Range;

/// Bytes of one request at most.
pub(super) const READ_BYTES: u64 = 3 * 1024 * 1024;

/// One request, and what is taken from its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Read {
    /// Bytes of the object.
    pub(super) range: Range<u64>,
    /// In the order in which they are wanted.
    pub(super) takes: Vec<Take>,
}

/// A part of a piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Take {
    /// The piece's place among the pieces.
    pub(super) piece: usize,
    /// Bytes of the object.
    pub(super) range: Range<u64>,
}

/// Requests for `pieces`, in their order. Pieces that stand close to one another share a request, whatever their
/// order; what lies between them is read too, and is little: a file's columns are wanted all, or nearly.
pub(super) fn plan(pieces: impl IntoIterator<Item = Range<u64>>) -> Vec<Read> {
    let mut reads: Vec<Read> = Vec::new();
    for (piece, mut rest) in pieces.into_iter().enumerate() {
        while rest.start < rest.end {
            let part = match reads.last_mut() {
                Some(read) if union(&read.range, &rest) <= READ_BYTES => rest.clone(),
                // What continues a request fills it up.
                Some(read) if rest.start == read.range.end && length(&read.range) < READ_BYTES => {
                    rest.start..rest.start + (READ_BYTES - length(&read.range)).min(length(&rest))
                }
                _ => {
                    reads.push(Read { range: rest.start..rest.start, takes: Vec::new() });
                    rest.start..rest.start + length(&rest).min(READ_BYTES)
                }
            };
            let read = reads.last_mut().expect("there is one, or one was just begun");
            read.range = read.range.start.min(part.start)..read.range.end.max(part.end);
            rest.start = part.end;
            read.takes.push(Take { piece, range: part });
        }
    }
    reads
}

fn length(range: &Range<u64>) -> u64 {
    range.end - range.start
}

fn union(a: &Range<u64>, b: &Range<u64>) -> u64 {
    a.end.max(b.end) - a.start.min(b.start)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_large_file_in_order_is_read_in_full_pieces() {
        let chunks = (0..10u64).map(|chunk| chunk * 3_000_000 + 4..(chunk + 1) * 3_000_000 + 4);
        let reads = plan(chunks);
        assert_eq!(reads.len() as u64, 30_000_000u64.div_ceil(READ_BYTES));
        assert!(reads.iter().rev().skip(1).all(|read| length(&read.range) == READ_BYTES));
    }

    #[test]
    fn a_small_file_is_one_read_whatever_the_order() {
        let reads = plan([200_000..300_000, 4..100_000, 100_000..200_000]);
        assert_eq!(reads.len(), 1);
        assert_eq!(reads[0].range, 4..300_000);
        assert_eq!(reads[0].takes.iter().map(|take| take.piece).collect::<Vec<_>>(), [0, 1, 2]);
    }

    proptest! {
        #[test]
        fn each_piece_comes_as_a_whole_and_in_order(
            pieces in proptest::collection::vec((0..40_000_000u64, 1..9_000_000u64), 1..20),
        ) {
            let pieces: Vec<Range<u64>> = pieces.into_iter().map(|(at, len)| at..at + len).collect();
            let mut came: Vec<Range<u64>> = Vec::new();
            let mut last = None;
            for read in plan(pieces.clone()) {
                prop_assert!(length(&read.range) <= READ_BYTES);
                for take in read.takes {
                    prop_assert!(read.range.start <= take.range.start && take.range.end <= read.range.end);
                    if last == Some(take.piece) {
                        let piece = came.last_mut().unwrap();
                        prop_assert_eq!(piece.end, take.range.start);
                        piece.end = take.range.end;
                    } else {
                        came.push(take.range);
                    }
                    last = Some(take.piece);
                }
            }
            prop_assert_eq!(came, pieces);
        }
    }
}
