//! `mltrainer serve`: pages and API until SIGTERM or Ctrl-C.

use super::out::say;
use super::{Failure, Global};
use crate::web::site::Site;
use crate::web::{Access, router};
use clap::Args;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long open requests may take after a signal to stop.
const GRACE: Duration = Duration::from_secs(5);

/// `mltrainer serve`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mltrainer serve\n  mltrainer serve --addr 127.0.0.1:8080 --data-dir ./data\n  MLTRAINER_ADMIN_TOKEN=... mltrainer serve --addr 0.0.0.0:3000 --allow-remote --host stocks.example.org"
)]
pub struct Serve {
    /// Address and port; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:3000", env = "MLTRAINER_ADDR")]
    addr: SocketAddr,
    /// Folder of a built site (scripts and WebAssembly) instead of the built-in one
    #[arg(long, value_name = "DIR", env = "MLTRAINER_SITE_ROOT")]
    site_root: Option<PathBuf>,
    /// Lets other machines in; needs MLTRAINER_ADMIN_TOKEN
    #[arg(long, env = "MLTRAINER_ALLOW_REMOTE")]
    allow_remote: bool,
    /// Name under which other machines reach this one, with --allow-remote (several with commas)
    #[arg(
        long,
        value_name = "NAME",
        value_delimiter = ',',
        env = "MLTRAINER_HOST"
    )]
    host: Vec<String>,
    /// A proxy in front speaks TLS: browsers are told to insist on it
    #[arg(long, env = "MLTRAINER_BEHIND_TLS")]
    behind_tls: bool,
    /// Token that every write needs once it is set; give it by the environment
    #[arg(
        long,
        value_name = "TOKEN",
        env = "MLTRAINER_ADMIN_TOKEN",
        hide_env_values = true,
        hide = true
    )]
    admin_token: Option<String>,
    /// Set by cargo-leptos
    #[arg(long, env = "LEPTOS_SITE_ROOT", hide = true)]
    leptos_site_root: Option<PathBuf>,
}

impl Serve {
    pub(super) async fn execute(self, global: &Global) -> Result<ExitCode, Failure> {
        let token = self.admin_token.filter(|t| !t.is_empty());
        if !self.addr.ip().is_loopback() && !self.allow_remote {
            return Err(Failure::new(
                2,
                format!(
                    "{} is reachable from other machines: add --allow-remote, or listen on 127.0.0.1",
                    self.addr
                ),
            ));
        }
        if self.allow_remote && token.is_none() {
            return Err(Failure::new(
                2,
                "--allow-remote needs a token for writes: set MLTRAINER_ADMIN_TOKEN",
            ));
        }
        // The port first: a second start by mistake must not touch the data folder.
        let listener = TcpListener::bind(self.addr).await.map_err(|e| {
            let why = match e.kind() {
                ErrorKind::AddrInUse => {
                    "the port is in use: stop the other program or choose another with --addr"
                        .to_owned()
                }
                ErrorKind::PermissionDenied => {
                    "this account may not open the port: choose one above 1023 with --addr"
                        .to_owned()
                }
                _ => e.to_string(),
            };
            Failure::new(1, format!("cannot listen on {}: {why}", self.addr))
        })?;
        let addr = listener.local_addr()?;
        let site = match self.site_root.or(self.leptos_site_root) {
            Some(folder) => Site::folder(&folder)
                .map_err(|e| Failure::new(2, format!("--site-root {}: {e}", folder.display())))?,
            None => Site::embedded(),
        };
        let folder = global.folder()?;
        let open = global.open().await?;
        let stop = CancellationToken::new();
        let access = Access::new(addr, self.host, token, self.behind_tls);
        let app = router(open.services.clone(), site, access, stop.clone());
        let services = open.services.clone();
        tokio::spawn(async move {
            if let Err(e) = services.recover().await {
                tracing::error!("data sets or trials were not taken up: {e}");
            }
        });
        say(&format!(
            "mlTrainer is ready at http://{addr} (data in {}; stop with Ctrl-C)",
            folder.display()
        ))?;
        tracing::info!(%addr, "listening");

        let signalled = stop.clone();
        tokio::spawn(async move {
            signal().await;
            tracing::info!("stopping: running steps are finished and stored");
            signalled.cancel();
        });
        let stopping = stop.clone();
        let serving = axum::serve(listener, app)
            .with_graceful_shutdown(stopping.cancelled_owned())
            .into_future();
        // Who keeps a connection open does not keep the program from ending.
        let late = async {
            stop.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            served = serving => served.map_err(|e| Failure::new(1, format!("serving ended: {e}")))?,
            () = late => tracing::warn!("open connections were cut"),
        }
        open.close().await;
        Ok(ExitCode::SUCCESS)
    }
}

/// Waits for Ctrl-C or, where there is one, SIGTERM.
pub(super) async fn signal() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                () = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    interrupt.await;
}
