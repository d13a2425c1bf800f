//! INT96 times, before they are decoded as microseconds.
//!
//! A value is a day and nanoseconds within it. The decoder wraps around where they are more than 64 bits of
//! microseconds, and cuts off what is below one: neither shows in what it hands out, so the values are looked at first.

use std::sync::Arc;

use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{Int96, Int96Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::ReaderProperties;
use parquet::file::reader::{ChunkReader, RowGroupReader};
use parquet::file::serialized_reader::SerializedRowGroupReader;

use crate::columns::int96_leaves;

/// Rows that are looked at together.
const ROWS: usize = 8 * 1024;
const EPOCH_DAY: i128 = 2_440_588;
const NANOS_PER_DAY: i128 = 86_400 * 1_000_000_000;
const NANOS_PER_MICRO: i128 = 1_000;

/// The first INT96 time of a file that is not exactly a number of microseconds, in words; none if there is none.
///
/// # Errors
/// The file cannot be read.
pub(super) fn inexact<R: ChunkReader + 'static>(
    reader: &Arc<R>,
    footer: &ParquetMetaData,
) -> Result<Option<String>> {
    let leaves = int96_leaves(footer.file_metadata().schema_descr());
    let properties = Arc::new(ReaderProperties::builder().build());
    for group in footer.row_groups() {
        let group = SerializedRowGroupReader::new(reader.clone(), group, None, properties.clone())?;
        for leaf in &leaves {
            let ColumnReader::Int96ColumnReader(values) = group.get_column_reader(*leaf)? else {
                return Err(ParquetError::General(
                    "a column of INT96 times is none in a row group".to_owned(),
                ));
            };
            if let Some(reason) = first_inexact(values)? {
                let path = footer.file_metadata().schema_descr().column(*leaf).path().parts().join(".");
                return Ok(Some(format!("column `{path}` has {reason}")));
            }
        }
    }
    Ok(None)
}

fn first_inexact(mut column: ColumnReaderImpl<Int96Type>) -> Result<Option<String>> {
    let (mut values, mut definition, mut repetition) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        values.clear();
        definition.clear();
        repetition.clear();
        let read = column.read_records(ROWS, Some(&mut definition), Some(&mut repetition), &mut values)?;
        if let Some(reason) = values.iter().find_map(fault) {
            return Ok(Some(reason));
        }
        if read.0 == 0 {
            return Ok(None);
        }
    }
}

/// Why a value is not exactly a number of microseconds that 64 bits hold.
fn fault(value: &Int96) -> Option<String> {
    let [low, high, day] = *value.data() else { return Some("a time of the wrong length".to_owned()) };
    // Two's complement, both of them.
    let (day, within) =
        (i128::from(day.cast_signed()), (u64::from(high) << 32 | u64::from(low)).cast_signed());
    let nanos = (day - EPOCH_DAY) * NANOS_PER_DAY + i128::from(within);
    if nanos % NANOS_PER_MICRO != 0 {
        return Some(format!(
            "a time of {nanos} ns, which is no whole microsecond; an Iceberg v2 table holds microseconds"
        ));
    }
    let fits = i64::try_from(nanos / NANOS_PER_MICRO).is_ok();
    (!fits).then(|| format!("a time on Julian day {day}, which is out of the range of microseconds"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(day: i32, nanos: i64) -> Int96 {
        let nanos = nanos.cast_unsigned();
        Int96::from(vec![nanos as u32, (nanos >> 32) as u32, day.cast_unsigned()])
    }

    #[test]
    fn what_the_decoder_would_wrap_or_cut_is_found() {
        const EPOCH: i32 = 2_440_588;
        // Years 1582, 1970, 9999 and 290000, as Spark writes them; and nanoseconds before midnight.
        for sound in [time(2_299_161, 0), time(EPOCH, 1_000), time(5_373_484, 1_000), time(107_640_000, 0)] {
            assert_eq!(fault(&sound), None);
        }
        assert_eq!(fault(&time(EPOCH, -1_000)), None);
        for (wrong, said) in [
            (time(EPOCH, 1), "1 ns"),
            (time(EPOCH, 1_999), "no whole microsecond"),
            (time(i32::MAX, 0), "out of the range"),
            (time(i32::MIN, 0), "out of the range"),
            // The first day that 64 bits of microseconds do not hold.
            (time(EPOCH + 106_751_992, 0), "out of the range"),
        ] {
            let reason = fault(&wrong).unwrap();
            assert!(reason.contains(said), "{reason}");
        }
    }
}
