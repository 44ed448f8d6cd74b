//! Measures a server: fills it with records, then reads and writes them for a while and prints the throughput.
//!
//! ```text
//! cargo build --release -p aerospike-session-devserver --examples
//! target/release/examples/serve 3999 & PID=$!
//! target/release/examples/load 127.0.0.1:3999 --pid $PID                       # empty but for 1,000 records
//! target/release/examples/load 127.0.0.1:3999 --records 1000000 --pid $PID     # full
//! ```
//!
//! It works with any server, including a real one: namespace `test`, set `load`, half gets and half puts, one request
//! at a time on each connection. The records stay; `truncate:namespace=test;set=load` removes them.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const USAGE: &str = "usage: load HOST:PORT [--seconds 10] [--in-flight 64] [--size 500] [--records 1000] [--pid PID]";
/// Records written by one message during filling.
const FILL_BATCH: u64 = 200;

struct Args {
    address: String,
    seconds: u64,
    in_flight: u64,
    size: usize,
    records: u64,
    pid: Option<u64>,
}

impl Args {
    fn parse(mut words: impl Iterator<Item = String>) -> Option<Args> {
        let mut args = Args {
            address: words.next()?,
            seconds: 10,
            in_flight: 64,
            size: 500,
            records: 1000,
            pid: None,
        };
        while let Some(name) = words.next() {
            let value: u64 = words.next()?.parse().ok()?;
            match name.as_str() {
                "--seconds" => args.seconds = value,
                "--in-flight" => args.in_flight = value,
                "--size" => args.size = value as usize,
                "--records" => args.records = value.max(1),
                "--pid" => args.pid = Some(value),
                _ => return None,
            }
        }
        Some(args)
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let Some(args) = Args::parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        std::process::exit(2);
    };
    let args = Arc::new(args);
    let start = Instant::now();
    fill(&args).await?;
    println!(
        "{} records of {} bytes written in {:.1} s{}",
        args.records,
        args.size,
        start.elapsed().as_secs_f64(),
        resident(args.pid),
    );
    let start = Instant::now();
    let until = start + Duration::from_secs(args.seconds);
    let clients: Vec<_> = (0..args.in_flight)
        .map(|seed| tokio::spawn(read_and_write(Arc::clone(&args), seed, until)))
        .collect();
    let mut times = Vec::new();
    for client in clients {
        times.extend(client.await??);
    }
    let rate = times.len() as f64 / start.elapsed().as_secs_f64();
    times.sort_unstable();
    println!(
        "{rate:.0} operations/s, p50 {} us, p99 {} us{}",
        percentile(&times, 50),
        percentile(&times, 99),
        resident(args.pid),
    );
    Ok(())
}

/// Writes every record once, many in each message.
async fn fill(args: &Args) -> io::Result<()> {
    let mut stream = connect(args).await?;
    let (mut request, mut response) = (Vec::new(), Vec::new());
    let mut first = 0;
    while first < args.records {
        let ids = first..(first + FILL_BATCH).min(args.records);
        let mut rows = ((ids.end - ids.start) as u32).to_be_bytes().to_vec();
        rows.push(4); // every row is answered
        for id in ids.clone() {
            rows.extend(((id - first) as u32).to_be_bytes());
            rows.extend(digest(id));
            // A write: three bytes of flags, two fields, one operation.
            rows.extend([2, 0, 1, 0, 0, 2, 0, 1]);
            field(0, b"test", &mut rows);
            field(1, b"load", &mut rows);
            put(args.size, id, &mut rows);
        }
        message(&mut request, [8, 0, 0], 2, 0, |out| {
            field(0, b"test", out);
            field(41, &rows, out);
        });
        stream.write_all(&request).await?;
        // The last frame is marked; every row has its own result.
        loop {
            read_frame(&mut stream, &mut response).await?;
            let mut rows = response.as_slice();
            let mut is_last = false;
            while let Some((row, rest)) = rows.split_first_chunk::<22>() {
                expect_ok(row[5])?;
                is_last |= row[3] & 1 != 0;
                rows = rest;
            }
            if is_last {
                break;
            }
        }
        first = ids.end;
    }
    Ok(())
}

/// One client: alternates gets and puts until the time is over. Returns the duration of each, in microseconds.
async fn read_and_write(args: Arc<Args>, seed: u64, until: Instant) -> io::Result<Vec<u32>> {
    let mut stream = connect(&args).await?;
    let (mut request, mut response, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0u64.. {
        let start = Instant::now();
        if start >= until {
            break;
        }
        let id = scatter(seed << 40 | turn) % args.records;
        let is_get = turn % 2 == 0;
        let info = if is_get { [3, 0, 0] } else { [0, 1, 0] };
        message(&mut request, info, 3, u16::from(!is_get), |out| {
            field(0, b"test", out);
            field(1, b"load", out);
            field(4, &digest(id), out);
            if !is_get {
                put(args.size, id, out);
            }
        });
        stream.write_all(&request).await?;
        read_frame(&mut stream, &mut response).await?;
        expect_ok(response.get(5).copied().unwrap_or(u8::MAX))?;
        times.push(start.elapsed().as_micros() as u32);
    }
    Ok(times)
}

async fn connect(args: &Args) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(&args.address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn read_frame(stream: &mut TcpStream, body: &mut Vec<u8>) -> io::Result<()> {
    let size = stream.read_u64().await? & 0xffff_ffff_ffff;
    body.resize(size as usize, 0);
    stream.read_exact(body).await?;
    Ok(())
}

fn expect_ok(code: u8) -> io::Result<()> {
    match code {
        0 => Ok(()),
        code => Err(io::Error::other(format!("result code {code}"))),
    }
}

/// Returns a message with its frame.
fn message(
    out: &mut Vec<u8>,
    info: [u8; 3],
    n_fields: u16,
    n_ops: u16,
    body: impl FnOnce(&mut Vec<u8>),
) {
    out.clear();
    out.extend([0; 8]);
    out.push(22);
    out.extend(info);
    // No result, generation, TTL or transaction.
    out.extend([0; 14]);
    out.extend(n_fields.to_be_bytes());
    out.extend(n_ops.to_be_bytes());
    body(out);
    let head = (2 << 56) | (3 << 48) | (out.len() as u64 - 8);
    out[..8].copy_from_slice(&head.to_be_bytes());
}

fn field(kind: u8, data: &[u8], out: &mut Vec<u8>) {
    out.extend((1 + data.len() as u32).to_be_bytes());
    out.push(kind);
    out.extend(data);
}

/// Returns an operation that writes a blob to bin `data`.
fn put(size: usize, id: u64, out: &mut Vec<u8>) {
    out.extend((4 + 4 + size as u32).to_be_bytes());
    out.extend([2, 4, 0, 4]);
    out.extend(b"data");
    out.resize(out.len() + size, id as u8);
}

/// Returns a digest. Servers do not know how clients compute it.
fn digest(id: u64) -> [u8; 20] {
    let mut digest = [0; 20];
    digest[..8].copy_from_slice(&scatter(id).to_le_bytes());
    digest[8..16].copy_from_slice(&id.to_le_bytes());
    digest
}

/// Mixes the bits of a number (the finalizer of SplitMix64).
fn scatter(id: u64) -> u64 {
    let mut mixed = id.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn percentile(sorted: &[u32], percent: usize) -> u32 {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or_default()
}

/// Returns the memory of the server process, if the system reports it.
fn resident(pid: Option<u64>) -> String {
    pid.and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/status")).ok())
        .and_then(|status| {
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("VmRSS:"))?;
            let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
            Some(format!(", server RSS {} MiB", kib / 1024))
        })
        .unwrap_or_default()
}
