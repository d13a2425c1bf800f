//! W3C trace context, as it travels in `traceparent`: which trace something belongs to. Nothing is decided by it.

use std::{fmt, str::FromStr};

/// Length of the header in version 0.
const LENGTH: usize = 55;

/// A place in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceParent {
    /// The trace; not zero.
    pub trace_id: [u8; 16],
    /// The span that caused this; not zero.
    pub span_id: [u8; 8],
    /// Its lowest bit: somebody records this trace.
    pub flags: u8,
}

/// No trace context that can be read. Whoever meets one goes on without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no W3C traceparent")]
pub struct NoTraceParent;

impl FromStr for TraceParent {
    type Err = NoTraceParent;

    /// Reads the header. Of versions to come, what they have in common with version 0.
    fn from_str(text: &str) -> Result<Self, NoTraceParent> {
        let bytes = text.as_bytes();
        let more = bytes.get(LENGTH);
        let dashes = [2, 35, 52].iter().all(|place| bytes.get(*place) == Some(&b'-'));
        if !dashes || more.is_some_and(|next| *next != b'-' || text.starts_with("00")) {
            return Err(NoTraceParent);
        }
        let [version] = hex(bytes, 0)?;
        let read =
            Self { trace_id: hex(bytes, 3)?, span_id: hex(bytes, 36)?, flags: hex::<1>(bytes, 53)?[0] };
        if version == 0xff || read.trace_id == [0; 16] || read.span_id == [0; 8] {
            return Err(NoTraceParent);
        }
        Ok(read)
    }
}

/// The bytes whose digits, in lower case, begin at `start`.
fn hex<const N: usize>(text: &[u8], start: usize) -> Result<[u8; N], NoTraceParent> {
    let digits = text.get(start..start + 2 * N).ok_or(NoTraceParent)?;
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return Err(NoTraceParent),
            };
            *byte = (*byte << 4) | value;
        }
    }
    Ok(bytes)
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("00-")?;
        self.trace_id.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("-")?;
        self.span_id.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        write!(f, "-{:02x}", self.flags)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_header_reads_back_the_same() {
        let read: TraceParent = EXAMPLE.parse().unwrap();
        assert_eq!((read.trace_id[0], read.span_id[7], read.flags), (0x4b, 0xb7, 1));
        assert_eq!(read.to_string(), EXAMPLE);
        // Of a later version, what is known.
        let later = EXAMPLE.replacen("00", "cc", 1) + "-what-comes";
        assert_eq!(later.parse(), Ok(read));
    }

    #[test]
    fn what_is_none_is_none() {
        let zero_trace = format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32));
        let zero_span = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", "0".repeat(16));
        let upper = EXAMPLE.to_uppercase();
        let (longer, cut) = (format!("{EXAMPLE}-"), &EXAMPLE[..54]);
        let ff = EXAMPLE.replacen("00", "ff", 1);
        for wrong in ["", "00-a-b-01", cut, &longer, &upper, &zero_trace, &zero_span, &ff] {
            assert_eq!(wrong.parse::<TraceParent>(), Err(NoTraceParent), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_does_harm(text in "\\PC{0,80}") {
            let _ = text.parse::<TraceParent>();
        }
    }
}
