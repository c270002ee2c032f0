//! Where a store and the reference differ, said in as few lines as will do.

use std::fmt;

use sync_tracker_core::{Result, SyncStore};

use super::action::{Action, Answer};
use super::resolve::Course;
use super::universe::Universe;

/// Compares everything that can be read about the universe, one by one or in batches.
pub(super) async fn everything(
    course: &mut Course,
    store: &dyn SyncStore,
    one_by_one: bool,
) -> Found {
    for question in questions(course, one_by_one) {
        let answer = question.on_store(store).await;
        agree(&question, &answer, &course.take(&question))?;
    }
    let sources = store.sources().await.map_err(|error| format!("sources: {error:?}"))?;
    let missing = course.ledger.sources().into_iter().find(|source| !sources.contains(source));
    match missing {
        Some(missing) => Err(format!("source {missing} has records and is not among {sources:?}")),
        None => Ok(()),
    }
}

fn questions(course: &Course, one_by_one: bool) -> Vec<Action> {
    let Universe { sources, types, keys, external_ids, .. } = &course.universe;
    let mut questions = vec![Action::Now];
    if one_by_one {
        questions.extend(keys.iter().cloned().map(Action::Get));
    } else {
        questions.push(Action::GetMany(keys.clone()));
    }
    for source in sources {
        questions.push(Action::Statistics(source.clone()));
        questions.push(Action::Paused(source.clone()));
        for entity_type in types {
            let (source, entity_type) = (source.clone(), entity_type.clone());
            if one_by_one {
                questions.extend(external_ids.iter().map(|id| {
                    Action::ByExternalId(source.clone(), entity_type.clone(), id.clone())
                }));
            } else {
                let ids = external_ids.clone();
                questions.push(Action::ByExternalIds(source, entity_type, ids));
            }
        }
    }
    questions
}

/// Nothing, or where they differ.
pub(super) type Found = Result<(), String>;

/// Checks that no index of the store disagrees with its records.
pub(super) async fn is_sound(store: &dyn SyncStore) -> Found {
    match store.verify().await {
        Ok(found) if found.is_empty() => Ok(()),
        Ok(found) => Err(format!("verify found {found:#?}")),
        Err(error) => Err(format!("verify: {error:?}")),
    }
}

/// Compares two answers. Errors agree if they are of one kind.
pub(super) fn agree(action: &Action, store: &Result<Answer>, reference: &Result<Answer>) -> Found {
    let same = match (store, reference) {
        (Ok(store), Ok(reference)) => store == reference,
        (Err(store), Err(reference)) => store.kind() == reference.kind(),
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
    };
    if same {
        return Ok(());
    }
    Err(format!("to {action:?}\n{}", difference(&[store, reference])))
}

/// The lines of the second that differ in the first, with a few around them.
fn difference<T: fmt::Debug>(answers: &[T; 2]) -> String {
    const AROUND: usize = 3;
    let [store, reference] = answers.each_ref().map(|answer| format!("{answer:#?}"));
    let (store, reference): (Vec<_>, Vec<_>) =
        (store.lines().collect(), reference.lines().collect());
    let same = |(a, b): &(&&str, &&str)| a == b;
    let shorter = store.len().min(reference.len());
    let before = store.iter().zip(&reference).take_while(same).count();
    let after = store.iter().rev().zip(reference.iter().rev()).take_while(same).count();
    let after = after.min(shorter - before);
    let from = before.saturating_sub(AROUND);
    let part = |lines: &[&str]| {
        let to = (lines.len() - after + AROUND).min(lines.len());
        lines[from..to].iter().map(|line| format!("  {line}\n")).collect::<String>()
    };
    format!("the store says\n{}the reference says\n{}", part(&store), part(&reference))
}
