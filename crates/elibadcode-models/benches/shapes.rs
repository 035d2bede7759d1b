//! Seconds and memory of a model folder: loading, answering, the gradient at the embeddings and
//! one step of training, on 16 rows of 128 tokens.
//!
//! ```sh
//! elibadcode init --preset base --arch codet5 --tokenizer DIR -o target/codet5-base
//! cargo bench --workspace --bench shapes -- "$PWD/target/codet5-base"
//! ```
//!
//! `ELIBADCODE_DEVICE` chooses the device; the CPU if absent.
#![expect(clippy::print_stdout, reason = "a program whose result is a table")]
#![expect(clippy::unwrap_used, reason = "a measurement ends at the first problem")]

use std::path::Path;
use std::time::Instant;

use elibadcode_corpus::{LabelledIds, stage_rng};
use elibadcode_models::{
    Compute, Head, LoadedModel, Mode, ModelDir, TrainingConfig, bce_with_logits, fine_tune,
};
use rand::RngExt;

/// As in the command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SEED: u64 = 1;
const ROWS: usize = 16;
const TOKENS: usize = 128;
/// Everything is run again and again for so long, and at least once.
const MIN_SECONDS: f64 = 2.0;

fn main() {
    // cargo adds `--bench`.
    let folders: Vec<String> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    if folders.is_empty() {
        println!("no folder to measure: cargo bench --workspace --bench shapes -- MODEL_DIR");
        return;
    }
    let device = std::env::var("ELIBADCODE_DEVICE").unwrap_or("cpu".into());
    let compute = Compute::select(&device).unwrap();
    println!("{ROWS} x {TOKENS} tokens on {}", compute.name);
    for folder in folders {
        measure(Path::new(&folder), &compute);
    }
}

fn measure(folder: &Path, compute: &Compute) {
    println!("\n{}", folder.display());
    let dir = ModelDir::open(folder).unwrap();
    let load = || {
        let rng = &mut stage_rng(SEED, "head");
        dir.load_for_training(compute, Head::Classification, rng).unwrap()
    };
    let model = timed("load", load);
    let rows = rows(&model);
    let ids: Vec<&[u32]> = rows.iter().map(|row| row.ids.as_slice()).collect();
    timed("forward", || model.network.log_odds(&ids));
    timed("gradient at the embeddings", || embedding_gradient(&model, &rows));
    timed("training step", || {
        let config = TrainingConfig { epochs: 1, batch_size: ROWS, ..TrainingConfig::paper() };
        let network = model.network.clone();
        fine_tune(network, &rows, &[], &config, &mut stage_rng(SEED, "train"), &mut |_| ()).unwrap()
    });
}

/// Random rows with the special tokens in place.
fn rows(model: &LoadedModel) -> Vec<LabelledIds> {
    let mut rng = stage_rng(SEED, "rows");
    let (special, vocab) = (model.tokenizer.special(), model.tokenizer.size() as u32);
    let row = |index: usize| {
        let mut ids: Vec<u32> = (0..TOKENS).map(|_| rng.random_range(0..vocab)).collect();
        ids[0] = special.bos;
        ids[TOKENS - 1] = special.eos;
        LabelledIds { ids, label: (index % 2) as u8 }
    };
    (0..ROWS).map(row).collect()
}

/// What trigger inversion asks for in every step.
fn embedding_gradient(model: &LoadedModel, rows: &[LabelledIds]) -> Vec<f32> {
    let frozen = model.network.frozen();
    let ids: Vec<&[u32]> = rows.iter().map(|row| row.ids.as_slice()).collect();
    let labels: Vec<u8> = rows.iter().map(|row| row.label).collect();
    let words = frozen.embed(&ids).detach().require_grad();
    let log_odds = frozen.forward_embeddings(words.clone(), &[TOKENS; ROWS], &mut Mode::Evaluate);
    let gradients = bce_with_logits(log_odds, &labels).backward();
    words.grad(&gradients).unwrap().into_data().iter().collect()
}

/// Runs something for a while; prints the least seconds it took, the mean seconds of all
/// processors, which other programs disturb less, and the most memory the process has had.
fn timed<T>(what: &str, mut run: impl FnMut() -> T) -> T {
    let (mut best, mut n_runs) = (f64::INFINITY, 0_u32);
    let mut last = None;
    let (start, processors) = (Instant::now(), processor_seconds());
    while n_runs == 0 || start.elapsed().as_secs_f64() < MIN_SECONDS {
        // One result at a time: two models would count as one's memory.
        drop(last.take());
        let start = Instant::now();
        last = Some(run());
        best = best.min(start.elapsed().as_secs_f64());
        n_runs += 1;
    }
    let processors = (processor_seconds() - processors) / f64::from(n_runs);
    let peak = peak_gigabytes();
    println!("  {what:<28} {best:>8.3} s   {processors:>8.3} cpu s   peak {peak:>5.2} GB");
    last.unwrap()
}

/// Seconds that this process has had a processor; not a number elsewhere than on Linux.
fn processor_seconds() -> f64 {
    /// Of `/proc`, on every Linux.
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name before the closing bracket may hold anything; user and system time are 11 and 12
    // fields after it.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: Vec<f64> = fields.skip(11).take(2).filter_map(|it| it.parse().ok()).collect();
    if let [user, system] = ticks[..] { (user + system) / TICKS_PER_SECOND } else { f64::NAN }
}

/// The kernel's `VmHWM`; not a number elsewhere than on Linux.
fn peak_gigabytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|it| it.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    kilobytes.map_or(f64::NAN, |it| it * 1024.0 / 1e9)
}
