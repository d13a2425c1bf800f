//! Partitions as keys of a map.

use iceberg::spec::{Literal, PrimitiveLiteral, Struct};

/// A partition, equal to those alone whose readers see the same values: the two zeros of floats are equal by Iceberg's
/// literals, but rows of one would be read as the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::write) struct Key {
    partition: Struct,
    negative_zeros: Vec<bool>,
}

impl Key {
    pub(in crate::write) fn of(partition: &Struct) -> Self {
        let negative_zero = |value: Option<&Literal>| match value {
            Some(Literal::Primitive(PrimitiveLiteral::Float(value))) => {
                value.0.to_bits() == (-0_f32).to_bits()
            }
            Some(Literal::Primitive(PrimitiveLiteral::Double(value))) => {
                value.0.to_bits() == (-0_f64).to_bits()
            }
            _ => false,
        };
        Self { partition: partition.clone(), negative_zeros: partition.iter().map(negative_zero).collect() }
    }

    pub(in crate::write) fn partition(&self) -> &Struct {
        &self.partition
    }
}
