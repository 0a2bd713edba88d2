//! `chinwag serve`: settings, socket, store, in this order, and then the server's life.

use super::{CliError, certificate, door, load};
use crate::{
    admin,
    audit::Audit,
    config::{Flags, Settings},
    http::{self, App},
    hub,
    lifecycle::{
        self, Descriptors, Entrance, SUPERVISOR_VARIABLE, Shutdown, Standing, Supervisor, on_signals,
    },
    rates::{self, Quotas},
    scrape,
    service::Service,
    telemetry,
    trace::Tracer,
};
use chinwag_bus::LocalBus;
use chinwag_model::{
    SystemClock,
    limits::{TYPING_MAX_EVENTS, WATCHES_MAX_USERS},
};
use chinwag_store::{
    Retention,
    embedded::{self, EmbeddedStore, OpenError},
};
use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    process,
    sync::Arc,
    time::Duration,
};
use tokio::net::{TcpListener, TcpSocket};

/// Connections that the kernel may hold until they are accepted; it takes less where it is set to.
const BACKLOG_CONNECTIONS: u32 = 4_096;

pub(super) const EXAMPLES: &str = "\
Examples:
  chinwag serve --data /var/lib/chinwag
  chinwag serve --config /etc/chinwag.toml --log-format json
  chinwag serve --listen 0.0.0.0:8080 --auth open   everyone who reaches it may do everything

SIGTERM lets requests under way finish and ends it in order; a second one ends it at once.
Exit codes: 0 ended in order, 1 the store failed, 2 it could not start.";

pub(super) async fn run(flags: &Flags) -> Result<(), CliError> {
    let config = load(flags)?;
    config.check_open()?;
    let settings = config.settings();
    telemetry::start(&settings);
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let descriptors = Descriptors::raise(settings.connections_max);
    let clock = Arc::new(SystemClock::default());
    let keys = door::read(&settings, clock.clone()).await?;
    let tls = certificate::read(&settings, clock.clone())?;
    let cannot = |what: &str, error: io::Error| CliError::Usage(format!("{what}: {error}"));
    // The socket before the store: two servers by mistake then clash on what is quick to explain.
    let listener = bind(settings.listen)?;
    let metrics = settings.metrics_listen.map(bind).transpose()?;
    let address = listener.local_addr().map_err(|error| cannot("the address of the socket", error))?;
    // Before the store, whose opening may take long: the first process of a container ignores what it does not handle.
    let shutdown = on_signals().map_err(|error| cannot("signals", error))?;
    let store = open_store(&settings, descriptors, shutdown.clone()).await?;
    let data = std::path::absolute(&settings.data).unwrap_or_else(|_| settings.data.clone());
    let maintenance = store.maintenance();
    let store = Arc::new(store);
    let door = door::hang(keys, store.clone(), clock.clone()).await?;
    let service = Service::new(store, Arc::new(LocalBus::default()), clock.clone(), hub_options(&settings));
    let audit = open_audit(&settings, &clock, &service)?;
    let app = App::guarded(service, door, http_options(&settings));
    app.audit_to(audit.clone());
    let tracer = start_tracer(&settings, &app, clock)?;
    match admin::bind(&settings.data) {
        Ok(listener) => {
            drop(tokio::spawn(admin::serve(listener, maintenance, app.clone(), shutdown.clone())));
        }
        Err(error) => tracing::warn!(
            "no backup or check while the server runs: {}: {error}",
            admin::socket_path(&settings.data).display()
        ),
    }
    let mut entrance = Entrance::from(listener);
    let scheme = if tls.is_some() { "https" } else { "http" };
    if let Some(tls) = tls {
        tls.clone().keep();
        entrance = entrance.with_tls(tls);
    }
    if let Some(metrics) = metrics {
        tell_metrics(metrics, &app, &shutdown);
    }
    tracing::info!(
        data = %data.display(),
        version = env!("CARGO_PKG_VERSION"),
        "listening on {scheme}://{address}",
    );
    watched(shutdown.clone());
    match lifecycle::run(entrance, lifecycle_options(&settings, descriptors), app, shutdown).await {
        Ok(()) => {
            audit.flush();
            if let Some(tracer) = tracer {
                tracer.flush().await;
            }
            tracing::info!("ended in order");
            Ok(())
        }
        Err(error) => {
            audit.flush();
            tracing::error!("ending at once: {error}");
            // Dropping the store would wait for its writer, or let the engine write again after a failure.
            process::exit(1)
        }
    }
}

/// The audit log, if the settings name one.
fn open_audit(settings: &Settings, clock: &Arc<SystemClock>, service: &Service) -> Result<Audit, CliError> {
    let Some(path) = &settings.audit_log else { return Ok(Audit::none()) };
    Audit::open(path, clock.clone(), service.metrics().clone()).map_err(|error| {
        CliError::Usage(format!("audit_log: {} can't be opened to be written to: {error}", path.display()))
    })
}

/// What traces requests, if the settings name a collector.
fn start_tracer(settings: &Settings, app: &App, clock: Arc<SystemClock>) -> Result<Option<Tracer>, CliError> {
    let Some(endpoint) = &settings.otlp_endpoint else { return Ok(None) };
    if !["http://", "https://"].iter().any(|scheme| endpoint.starts_with(scheme)) {
        let why = "must be a URL that begins with http:// or https://, such as http://127.0.0.1:4318";
        return Err(CliError::Usage(format!("otlp_endpoint: {endpoint:?} {why}")));
    }
    let tracer = Tracer::start(endpoint, settings.trace_one_in, clock, app.metrics().clone());
    app.trace_to(tracer.clone());
    Ok(Some(tracer))
}

/// Tells metrics to whoever asks for them at this address.
fn tell_metrics(listener: TcpListener, app: &App, shutdown: &Shutdown) {
    if let Ok(address) = listener.local_addr() {
        tracing::info!("metrics, for whoever asks: http://{address}/metrics");
    }
    drop(tokio::spawn(scrape::serve(listener, app.clone(), scrape::Options::default(), shutdown.clone())));
}

/// Tells a supervisor that asks for it that the server serves, and later that it ends.
fn watched(mut shutdown: Shutdown) {
    let supervisor = Supervisor::new(std::env::var_os(SUPERVISOR_VARIABLE));
    supervisor.tell(Standing::Ready);
    tokio::spawn(async move {
        shutdown.asked().await;
        supervisor.tell(Standing::Stopping);
    });
}

/// Opens the store. Asked to end before that is done, the process ends.
async fn open_store(
    settings: &Settings,
    descriptors: Descriptors,
    mut shutdown: Shutdown,
) -> Result<EmbeddedStore, CliError> {
    let (data, options) = (settings.data.clone(), store_options(settings, descriptors));
    let opening = tokio::task::spawn_blocking(move || {
        EmbeddedStore::open(&data, &options, Arc::new(SystemClock::default()))
    });
    tokio::select! {
        opened = opening => {
            let opened = opened.map_err(|error| CliError::Usage(format!("cannot open the store: {error}")))?;
            opened.map_err(|error| CliError::Usage(why_not_opened(&error)))
        }
        () = shutdown.asked() => {
            tracing::info!("asked to end while the store was being opened");
            // The opening can't be called back, and nothing was accepted: to end the process is to end in order.
            process::exit(0)
        }
    }
}

fn bind(address: SocketAddr) -> Result<TcpListener, CliError> {
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A port whose last connections are still fading may be taken again at once.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG_CONNECTIONS)
    };
    listen().map_err(|error| CliError::Usage(why_not_bound(address, &error)))
}

fn why_not_bound(address: SocketAddr, error: &io::Error) -> String {
    let port = address.port();
    let why = match error.kind() {
        ErrorKind::AddrInUse => {
            let other = SocketAddr::new(address.ip(), port.checked_add(1).unwrap_or(8080));
            format!(
                "port {port} is taken by another program; stop it, or choose another port with --listen {other} \
                 (or CHINWAG_LISTEN={other})"
            )
        }
        ErrorKind::PermissionDenied => {
            format!(
                "no permission for port {port}; ports from 1024 on need none, such as --listen {}:8080",
                address.ip()
            )
        }
        ErrorKind::AddrNotAvailable => "this machine has no such address".into(),
        _ => error.to_string(),
    };
    format!("cannot listen on {address}: {why}")
}

/// Why a store can't be opened, and what to do.
pub(super) fn why_not_opened(error: &OpenError) -> String {
    let hint = match error {
        OpenError::Io { source, .. } => match source.kind() {
            ErrorKind::PermissionDenied => {
                "; this user may not write there: give it the directory, or name another with --data DIR (or CHINWAG_DATA)"
            }
            ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
                "; the data directory must be a directory, not a file: name another with --data DIR (or CHINWAG_DATA)"
            }
            ErrorKind::ReadOnlyFilesystem => {
                "; the data must lie on a disk that can be written: name another place with --data DIR (or CHINWAG_DATA)"
            }
            _ => "",
        },
        OpenError::Locked(_) => {
            "; stop that server, or name another data directory with --data DIR (or CHINWAG_DATA)"
        }
        _ => "",
    };
    format!("cannot open the store: {error}{hint}")
}

const fn mib(mib: usize) -> usize {
    mib << 20
}

fn store_options(settings: &Settings, descriptors: Descriptors) -> embedded::Options {
    embedded::Options {
        queue_max_messages: settings.queue_max_messages,
        queue_max_bytes: mib(settings.queue_max_mib),
        disk_reserve_bytes: settings.disk_reserve_mib << 20,
        chat_cache_bytes: settings.chat_cache_mib << 20,
        inbox_cache_bytes: settings.inbox_cache_mib << 20,
        block_cache_bytes: settings.block_cache_mib << 20,
        retention: Retention {
            max_age: (settings.retain_days > 0).then(|| Duration::from_hours(24 * settings.retain_days)),
            max_messages: (settings.retain_messages > 0).then_some(settings.retain_messages),
        },
        memtable_max_bytes: settings.memtable_mib << 20,
        open_files_max: descriptors.store_files_max,
        wipe_after: Duration::from_secs(settings.wipe_after_s),
        wipe_expired_after: Duration::from_hours(24 * settings.wipe_expired_after_days),
        ..embedded::Options::default()
    }
}

fn http_options(settings: &Settings) -> http::Options {
    http::Options {
        text_max_bytes: settings.text_max_bytes,
        revise_window: Duration::from_secs(settings.revise_window_s),
        allowed_hosts: settings.allowed_hosts.clone(),
        allowed_origins: settings.allowed_origins.clone(),
        forwarding: settings.forwarding.clone(),
        bodies_max_bytes: mib(settings.bodies_max_mib),
        rates: rates_of(settings),
        body_timeout: Duration::from_secs(settings.body_timeout_s),
        ping_interval: Duration::from_secs(settings.ping_interval_s),
        heartbeat: Duration::from_secs(settings.heartbeat_s),
        hsts_max_age: Some(settings.hsts_max_age_s)
            .filter(|age_s| *age_s > 0 && settings.tls_cert_file.is_some())
            .map(Duration::from_secs),
        bench_routes: settings.bench_routes,
    }
}

fn rates_of(settings: &Settings) -> rates::Options {
    rates::Options {
        user: Quotas {
            sends: settings.user_sends_per_10s,
            reads: settings.user_reads_per_10s,
            typing: TYPING_MAX_EVENTS,
            others: settings.user_others_per_10s,
        },
        key: Quotas {
            sends: settings.key_sends_per_10s,
            reads: settings.key_reads_per_10s,
            typing: 0,
            others: settings.key_others_per_10s,
        },
    }
}

fn hub_options(settings: &Settings) -> hub::Options {
    hub::Options {
        sessions_per_user_max: settings.sessions_per_user_max,
        presence_grace: Duration::from_secs(settings.presence_grace_s),
        outboxes_max_bytes: mib(settings.outboxes_max_mib),
        watches_max_users: WATCHES_MAX_USERS,
    }
}

fn lifecycle_options(settings: &Settings, descriptors: Descriptors) -> lifecycle::Options {
    lifecycle::Options {
        connections_max: descriptors.connections_max,
        peer_connections_max: settings.peer_connections_max,
        proxy_protocol: settings.proxy_protocol.clone(),
        head_timeout: Duration::from_secs(settings.head_timeout_s),
        idle_timeout: Duration::from_secs(settings.idle_timeout_s),
        write_timeout: Duration::from_secs(settings.write_timeout_s),
        ping_interval: Duration::from_secs(settings.ping_interval_s),
        drain_timeout: Duration::from_secs(settings.drain_timeout_s),
    }
}
