//! The values that an update takes from its change: each where it is needed, or apart from a text
//! that changes of the same shape share.

use mongodb::bson::error::Error as BsonError;
use mongodb::bson::raw::CStr;
use mongodb::bson::{Bson, Document, RawDocumentBuf, cstr};
use sync_tracker_core::{Arm, Change, EchoesOp, FactOp, RemoteDemand, RemoteVersion, Shape};

use crate::expression::literal;
use crate::value::{change_id, version_parts, whole};

/// Where an update of many records has the values of the one that it is at.
pub(crate) const ITEM: &CStr = cstr!("item");

/// How a value of an arm is got; null if the arm has none.
type Get = fn(&Arm) -> Bson;

/// A value that an update takes from a change.
#[derive(Clone, Copy)]
enum Param {
    /// The id of the change.
    Id,
    OfArm(usize, Get),
}

impl Param {
    fn of(self, change: &Change) -> Bson {
        match self {
            Self::Id => Bson::Int64(change_id(change.id())),
            Self::OfArm(number, get) => change.arms().get(number).map_or(Bson::Null, get),
        }
    }
}

/// The values of an update, as it is composed.
pub(super) struct Values<'a> {
    change: &'a Change,
    /// What is read from the item; if none, values are written where they are needed.
    of_item: Option<Params>,
    arm: usize,
}

/// What an update reads from its item.
#[derive(Default)]
pub(crate) struct Params(Vec<Param>);

impl Params {
    /// The item of a change that is [like](Likeness) that of the update.
    pub(crate) fn item(&self, change: &Change) -> Result<RawDocumentBuf, BsonError> {
        let mut item = Document::new();
        for (place, param) in self.0.iter().enumerate() {
            item.insert(name(place), param.of(change));
        }
        RawDocumentBuf::try_from(&item)
    }
}

fn name(place: usize) -> String {
    format!("v{place}")
}

impl<'a> Values<'a> {
    pub(super) fn inline(change: &'a Change) -> Self {
        Self { change, of_item: None, arm: 0 }
    }

    pub(super) fn of_item(change: &'a Change) -> Self {
        Self { change, of_item: Some(Params::default()), arm: 0 }
    }

    pub(super) fn into_params(self) -> Params {
        self.of_item.unwrap_or_default()
    }

    /// Values are of this arm from now on.
    pub(super) fn turn_to(&mut self, arm: usize) {
        self.arm = arm;
    }

    pub(super) fn id(&mut self) -> Bson {
        self.take(Param::Id)
    }

    /// A value of the arm.
    pub(super) fn get(&mut self, get: Get) -> Bson {
        self.take(Param::OfArm(self.arm, get))
    }

    fn take(&mut self, param: Param) -> Bson {
        match &mut self.of_item {
            None => literal(param.of(self.change)),
            Some(Params(params)) => {
                params.push(param);
                format!("${}.{}", ITEM.as_str(), name(params.len() - 1)).into()
            }
        }
    }
}

/// A counter.
pub(super) fn number(number: Option<u64>) -> Bson {
    number.map_or(Bson::Null, |number| Bson::Int64(whole(number)))
}

/// Some text.
pub(super) fn text(text: Option<&str>) -> Bson {
    text.map_or(Bson::Null, Bson::from)
}

/// What changes have in common that share an update. That is more than their shape, in which facts
/// that are kept count as set, and versions of every kind are alike.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Likeness {
    shape: Shape,
    facts: Vec<Facts>,
}

#[derive(PartialEq, Eq, Hash)]
struct Facts {
    demand: Option<&'static str>,
    versions: [Option<&'static str>; 2],
    keeps: [bool; 4],
}

impl Likeness {
    pub(crate) fn of(change: &Change) -> Self {
        Self { shape: change.shape(), facts: change.arms().iter().map(Facts::of).collect() }
    }
}

impl Facts {
    fn of(Arm { when, then }: &Arm) -> Self {
        let kind = |version: &RemoteVersion| version_parts(version).0;
        let set = |fact: &FactOp<RemoteVersion>| match fact {
            FactOp::Set(version) => Some(kind(version)),
            FactOp::Keep | FactOp::Clear => None,
        };
        let demand = match &when.remote {
            Some(RemoteDemand::NewerThanAccepted(version) | RemoteDemand::SeenIs(version)) => {
                Some(kind(version))
            }
            None => None,
        };
        Self {
            demand,
            versions: [set(&then.remote_version), set(&then.remote_seen)],
            keeps: [
                then.remote_version == FactOp::Keep,
                then.remote_seen == FactOp::Keep,
                then.base == FactOp::Keep,
                then.echoes == EchoesOp::Keep,
            ],
        }
    }
}
