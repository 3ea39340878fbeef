//! The replay server by hand: `cargo run -p mltrainer-it --bin mltrainer-replay -- 127.0.0.1:28080`,
//! then export what it prints and call `mltrainer data fetch`. It ends with Ctrl-C.
#![expect(clippy::print_stdout, reason = "a tool that tells how to use it")]

use mltrainer_it::replay::Replay;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let addr = std::env::args().nth(1);
    let replay = Replay::at(addr.as_deref().unwrap_or("127.0.0.1:0")).await;
    for (name, value) in replay.env() {
        println!("export {name}={value}");
    }
    // Without a signal to wait for it ends at once, which is as good.
    let _ = tokio::signal::ctrl_c().await;
}
