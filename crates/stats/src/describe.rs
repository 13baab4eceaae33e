//! The schema as JSON, for whoever draws or checks numbers and would rather not guess units.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    dimension::{DIMENSIONS, Dimension, Source, Words},
    query::Function,
    schema::{EventType, TABLE, Unit, VERSION, ValueRule},
};

/// Answer to `GET /api/v1/stats/schema`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SchemaAnswer {
    /// Grows when a type or a dimension is added; the meaning of one never changes.
    pub version: u16,
    /// The types of events.
    pub events: Vec<EventDescription>,
    /// What they can be broken down by.
    pub dimensions: Vec<DimensionDescription>,
}

/// One type of event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventDescription {
    /// Its name.
    #[serde(rename = "type")]
    pub event: EventType,
    /// The version that introduced it.
    pub since: u16,
    /// What a value counts as it is sent: ms or kbit/s. Absent for types without a quantity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// What it counts in answers: s, ms or kbit/s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown_unit: Option<String>,
    /// The value that an event carries; absent if it must not carry one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<ValueDescription>,
    /// What can be asked of it.
    pub functions: Vec<Function>,
}

/// The value of a type of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ValueDescription {
    /// Whether the event is refused without.
    pub required: bool,
    /// Smallest one.
    pub min: u32,
    /// Largest one.
    pub max: u32,
}

/// One dimension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DimensionDescription {
    /// Its name.
    pub dimension: Dimension,
    /// The version that introduced it.
    pub since: u16,
    /// Who sets it.
    pub source: Source,
    /// The words that are told apart; absent where they are names or codes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<Vec<String>>,
}

/// The schema.
pub fn schema() -> SchemaAnswer {
    let events = TABLE.iter().map(|row| {
        let quantity = row.event.unit().map(|_| [Function::Sum, Function::Avg]);
        let functions = [Function::Count]
            .into_iter()
            .chain(quantity.into_iter().flatten())
            .chain(row.unique.then_some(Function::Unique))
            .chain(row.quantile.then_some(Function::Quantile));
        EventDescription {
            event: row.event,
            since: row.since,
            unit: row.event.unit().map(|unit| match unit {
                Unit::Seconds | Unit::Milliseconds => Unit::Milliseconds.symbol().into(),
                Unit::KilobitsPerSecond => unit.symbol().into(),
            }),
            shown_unit: row.event.unit().map(|unit| unit.symbol().into()),
            value: match &row.value {
                ValueRule::Forbidden => None,
                ValueRule::Optional(bounds) => Some((false, bounds)),
                ValueRule::Required(bounds, _) => Some((true, bounds)),
            }
            .map(|(required, bounds)| ValueDescription {
                required,
                min: *bounds.start(),
                max: *bounds.end(),
            }),
            functions: functions.collect(),
        }
    });
    let dimensions = DIMENSIONS.iter().map(|row| DimensionDescription {
        dimension: row.dimension,
        since: row.since,
        source: row.source,
        words: match row.words {
            Words::Listed(list) => Some(list.iter().map(|word| (*word).to_owned()).collect()),
            Words::Country | Words::Pop | Words::Rendition => None,
        },
    });
    SchemaAnswer {
        version: VERSION,
        events: events.collect(),
        dimensions: dimensions.collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn says_what_can_be_sent_and_asked() {
        let json = serde_json::to_value(schema()).unwrap();
        assert_eq!(
            json["events"][6],
            json!({
                "type": "watch", "since": 1, "unit": "ms", "shown_unit": "s",
                "value": {"required": true, "min": 1, "max": 3_600_000},
                "functions": ["count", "sum", "avg", "unique"],
            })
        );
        assert_eq!(
            json["events"][0],
            json!({"type": "view", "since": 1, "functions": ["count", "unique"]})
        );
        assert_eq!(
            json["dimensions"][2],
            json!({"dimension": "country", "since": 2, "source": "edge"})
        );
        assert_eq!(json["dimensions"][1]["words"][1], "phone");
    }
}
