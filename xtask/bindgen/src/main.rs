//! The heavy half of `cargo xtask`'s site build: `bindgen` makes the browser's files out of a WebAssembly file,
//! `compress` writes a `.br` and a `.gz` beside each file. Called by xtask, which decides what is out of date.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["bindgen", wasm, out, name] => bindgen(Path::new(wasm), Path::new(out), name),
        ["compress", files @ ..] => files.iter().try_for_each(|file| compress(Path::new(file))),
        _ => Err(
            "usage: mltrainer-site-tool bindgen IN.wasm OUT_DIR NAME | compress FILE...".to_owned(),
        ),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// Writes `OUT/NAME.js`, `OUT/NAME.wasm` and, where a dependency brings some, `OUT/snippets/`.
fn bindgen(wasm: &Path, out: &Path, name: &str) -> Result<(), String> {
    let mut tool = wasm_bindgen_cli_support::Bindgen::new();
    tool.input_path(wasm)
        .web(true)
        .map_err(|e| format!("wasm-bindgen: {e:#}"))?
        .out_name(name)
        .typescript(false)
        // Names of functions are half of the file and help nobody who visits a page.
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(out)
        .map_err(|e| {
            format!(
                "wasm-bindgen on {}: {e:#}. The library here and the `wasm-bindgen` crate must have the same version.",
                wasm.display()
            )
        })?;
    // Leptos asks for NAME.wasm, wasm-bindgen writes NAME_bg.wasm and names it in the script as its default.
    let long = out.join(format!("{name}_bg.wasm"));
    let short = out.join(format!("{name}.wasm"));
    std::fs::rename(&long, &short).map_err(|e| format!("renaming {}: {e}", long.display()))?;
    let script = out.join(format!("{name}.js"));
    let text = std::fs::read_to_string(&script)
        .map_err(|e| format!("reading {}: {e}", script.display()))?;
    std::fs::write(
        &script,
        text.replace(&format!("{name}_bg.wasm"), &format!("{name}.wasm")),
    )
    .map_err(|e| format!("writing {}: {e}", script.display()))
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn compress(file: &Path) -> Result<(), String> {
    let told = |e: std::io::Error| format!("compressing {}: {e}", file.display());
    let bytes = std::fs::read(file).map_err(told)?;

    let mut small = Vec::new();
    {
        // Quality 11 and the largest window: made once here, read by every visitor.
        let mut writer = brotli::CompressorWriter::new(&mut small, 1 << 16, 11, 24);
        writer.write_all(&bytes).map_err(told)?;
    }
    std::fs::write(beside(file, ".br"), small).map_err(told)?;

    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    writer.write_all(&bytes).map_err(told)?;
    std::fs::write(beside(file, ".gz"), writer.finish().map_err(told)?).map_err(told)
}
