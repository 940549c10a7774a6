//! What the fuzz targets share: how settings and operations are drawn from bytes, and what must hold.

#[expect(dead_code, reason = "only the random traces of the tests restart circuits")]
#[path = "../../tests/scenarios/subject.rs"]
mod subject;

pub mod bounds;
pub mod draw;
pub mod good;
pub mod heal;
pub mod op;
pub mod play;
pub mod raw;
pub mod restless;
