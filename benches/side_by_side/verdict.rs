//! The bars that this run can decide.

use crate::{
    idle,
    single::Single,
    support::{
        bars::Bars,
        contenders::{OURS, Who},
        table::Measured,
    },
    threads::Threads,
    windows,
};

/// What counts as "no dearer" and "does not grow": code of the same cost differs by so much between two samples.
const SAME: f64 = 1.1;

fn name(who: Who) -> &'static str {
    match who {
        Who::Default => "default",
        Who::DefaultTyped => "default, fail_with",
        Who::DefaultReply => "default, reply_with",
        Who::Evidence => "evidence alone",
        Who::Count => "count 100",
        Who::Run => "5 in a row",
        Who::Failsafe => "failsafe",
        Who::Recloser => "recloser",
        Who::ResilienceCount => "tower-resilience",
        Who::Bare
        | Who::LoadShed
        | Who::ConcurrencyLimit
        | Who::Timeout
        | Who::ResilienceTime
        | Who::ResilienceRun
        | Who::ResilienceSpun
        | Who::Default503
        | Who::DefaultApart
        | Who::RunApart => unreachable!("no bar names it"),
    }
}

/// Cost over the bare service, one thread.
pub(crate) fn single(bars: &mut Bars, numbers: &Single) {
    for who in OURS {
        let peer = if who == Who::Run { Who::ResilienceRun } else { Who::ResilienceCount };
        let bound = numbers.over_bare(peer).map(|cost| cost / 10.0);
        let bar = format!("ns over bare, {}: a tenth of tower-resilience", name(who));
        bars.at_most(&bar, numbers.over_bare(who), bound);
    }
    let recloser = numbers.over_bare(Who::Recloser);
    bars.at_most(
        "ns over bare, count 100: two thirds of recloser",
        numbers.over_bare(Who::Count),
        recloser.map(|cost| cost * 2.0 / 3.0),
    );
    bars.at_most("ns over bare, default: recloser", numbers.over_bare(Who::Default), recloser);
    // Which boxes no error either.
    let reply = numbers.over_bare(Who::DefaultReply);
    bars.at_most("ns over bare, default, reply_with: recloser", reply, recloser);
    bars.at_most("ns over bare, 5 in a row: failsafe", numbers.over_bare(Who::Run), numbers.over_bare(Who::Failsafe));
}

/// Two threads on one circuit.
pub(crate) fn threads(bars: &mut Bars, threads: &Threads) {
    let bare = threads.success(Who::Bare).scaling();
    for who in OURS {
        let cell = threads.success(who);
        let bar = format!("scaling from one to two threads, {}: nine tenths of bare", name(who));
        bars.at_least(&bar, cell.scaling(), bare.map(|scaling| scaling * 0.9));
        for (peer, factor) in [(Who::Recloser, 4.0), (Who::Failsafe, 4.0), (Who::ResilienceCount, 1_000.0)] {
            let bound = threads.success(peer).throughput().map(|throughput| throughput * factor);
            let bar = format!("Mcalls/s of two threads, {}: {factor} times {}", name(who), name(peer));
            bars.at_least(&bar, cell.throughput(), bound);
        }
    }
    for (who, apart) in [(Who::Default, Who::DefaultApart), (Who::Run, Who::RunApart)] {
        let bar = format!("scaling from one to two threads, {}: nine tenths of that with a circuit each", name(who));
        let bound = threads.success(apart).scaling().map(|scaling| scaling * 0.9);
        bars.at_least(&bar, threads.success(who).scaling(), bound);
    }
    // Two threads on the machine's two cores may each be slower than one alone; the bare service shows by how much.
    let slower = bare.map(|scaling| 2.0 / scaling);
    for who in [Who::Default, Who::DefaultTyped, Who::DefaultReply] {
        let cell = threads.open(who);
        let alone = cell.one.map(|measured| measured.median);
        let bound = alone.zip(slower).map(|(alone, slower)| alone * slower.max(1.0) * SAME);
        let bar = format!("open, ns per call on two threads, {}: that on one (+10 %)", name(who));
        bars.at_most(&bar, cell.two.map(|measured| measured.median), bound);
    }
}

/// The length of a window.
pub(crate) fn windows(bars: &mut Bars, counts: &windows::Cells, times: &windows::Cells) {
    grows(bars, "count window of 100,000 calls, ns per call: that of 10 calls (+10 %)", &counts[0], &counts[3]);
    grows(bars, "time window with 50,000 calls, ns per call: that with 100 calls (+10 %)", &times[0], &times[3]);
}

/// Time in which nobody calls.
pub(crate) fn idle(bars: &mut Bars, rows: &[(&'static str, idle::Cells)]) {
    for (rule, [_, second, ten, month]) in rows {
        grows(bars, &format!("{rule}, ns per call after an idle month: after a second (+10 %)"), second, month);
        grows(bars, &format!("{rule}, ns per call after an idle month: after ten seconds (+10 %)"), ten, month);
    }
}

fn grows(bars: &mut Bars, bar: &str, small: &[Option<Measured>; 2], large: &[Option<Measured>; 2]) {
    let median = |cell: &Option<Measured>| cell.map(|measured| measured.median);
    for (outcome, (small, large)) in ["success", "with failures"].into_iter().zip(small.iter().zip(large)) {
        bars.at_most(&format!("{bar}, {outcome}"), median(large), median(small).map(|cost| cost * SAME));
    }
}
