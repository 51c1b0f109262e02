#include "control/run.h"

#include "base/heap.h"
#include "base/log.h"
#include "config/wording.h"
#include "control/access_log_writer.h"
#include "control/admin_server.h"
#include "control/build_snapshot.h"
#include "control/certificate_expiry.h"
#include "control/config_watcher.h"
#include "control/dns_endpoints.h"
#include "control/process_facts.h"
#include "control/process_state.h"
#include "control/service_manager.h"
#include "control/watchdog.h"
#include "dns/resolver.h"
#include "shard/shard_set.h"
#include "snapshot/cell.h"
#include "tls/key_log.h"
#include "tls/private_key.h"
#include "tls/server_context.h"
#include "tls/ticket_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <utility>

namespace sluice::control {

namespace {

using Clock = std::chrono::steady_clock;
using snapshot::Snapshot;

// Between signals the main thread looks after what is due: names, the watchdog, old snapshots, ticket keys.
constexpr auto kTick = std::chrono::milliseconds(250);
constexpr auto kWatchTick = std::chrono::milliseconds(50);  // while files are watched
constexpr auto kDrainTick = std::chrono::milliseconds(20);
constexpr auto kAdoptionWait = std::chrono::seconds(5);
// A ring, a mailbox, and a few listeners and connections: with less a shard cannot do anything useful.
constexpr uint64_t kDescriptorsPerShardMin = 16;
constexpr auto kRefusedReloadPause = std::chrono::seconds(60);
constexpr auto kAdoptionTick = std::chrono::milliseconds(1);

WallTime now_wall() { return std::chrono::system_clock::now(); }

constexpr int kHandledSignals[] = {SIGHUP, SIGTERM, SIGINT, SIGUSR1};
constexpr int kEndingSignals[] = {SIGTERM, SIGINT};

sigset_t set_of_handled_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : kHandledSignals) sigaddset(&signals, signal);
  return signals;
}

// Blocked here, before any thread starts, they wait for next_signal(); equal ones that come in the
// meantime are one: any number of SIGHUPs during a reload make one more reload.
void prepare_signals() {
  std::signal(SIGPIPE, SIG_IGN);
  const sigset_t signals = set_of_handled_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

// 0 when none came in time.
int next_signal(std::chrono::milliseconds wait) {
  const sigset_t signals = set_of_handled_signals();
  const timespec limit{.tv_sec = wait.count() / 1000, .tv_nsec = wait.count() % 1000 * 1'000'000};
  const int signal = sigtimedwait(&signals, nullptr, &limit);
  return signal < 0 ? 0 : signal;
}

// Whether one of them waits for next_signal().
bool is_pending(std::span<const int> signals) {
  sigset_t pending;
  sigpending(&pending);
  return std::ranges::any_of(signals, [&pending](int signal) { return sigismember(&pending, signal) == 1; });
}

// SSLKEYLOGFILE, as browsers and curl know it.
Status open_key_log() {
  const char* path = std::getenv("SSLKEYLOGFILE");
  if (path == nullptr || *path == '\0') return {};
#ifdef NDEBUG
  log::warning("SSLKEYLOGFILE is ignored: only debug builds write the secrets of TLS connections");
  return {};
#else
  log::warning("SSLKEYLOGFILE: whoever can read {} can read the traffic of all TLS connections", path);
  return tls::open_key_log(path);
#endif
}

void log_diagnostics(const config::Diagnostics& diagnostics) {
  for (const config::Diagnostic& diagnostic : diagnostics.sorted()) {
    // The line has the severity already.
    const std::string place = diagnostic.place.to_string();
    const std::string text = place.empty() ? diagnostic.text() : place + ": " + diagnostic.text();
    switch (diagnostic.severity) {
      case config::Severity::info: log::info("{}", text); break;
      case config::Severity::warning: log::warning("{}", text); break;
      case config::Severity::error: log::error("{}", text); break;
    }
  }
}

Result<tls::RsaBatching> read_rsa_signing(std::string_view text) {
  if (text == "single") return tls::RsaBatching::never;
  if (text != "batched") return tls::RsaBatching::automatic;
  if (tls::can_use_crypto_mb()) return tls::RsaBatching::always;
  return failure("--rsa-signing batched: this processor cannot (AVX-512 IFMA is missing); use automatic or single");
}

std::vector<std::string> error_texts(const config::Diagnostics& diagnostics) {
  std::vector<std::string> texts;
  for (const config::Diagnostic& diagnostic : diagnostics.sorted()) {
    if (diagnostic.severity != config::Severity::info) texts.push_back(diagnostic.to_string());
  }
  return texts;
}

class Process {
 public:
  explicit Process(const RunOptions& options) : options_(options) {}

  // Everything up to "ready". What was started before a failure is ended by the destructor.
  [[nodiscard]] Status start();
  // Until a signal ends it.
  void serve();
  ~Process();

 private:
  [[nodiscard]] Status check_descriptors() const;
  [[nodiscard]] Status open_access_log(const snapshot::ProcessSettings& settings);
  [[nodiscard]] Status start_shards(tls::RsaBatching batching);
  void reload();
  void warn_of_fixed_settings(const snapshot::ProcessSettings& settings) const;
  void publish(std::unique_ptr<Snapshot> snapshot);
  bool look_up_due_names(std::span<const int> more_urgent);
  void refresh_names();
  void drain();
  [[nodiscard]] Built load(config::Diagnostics& diagnostics);
  [[nodiscard]] std::string issued_folder() const;
  [[nodiscard]] Serving what_it_keeps();
  [[nodiscard]] Status follow_certificates(config::ManagedCertificates certificates);
  void look_at_certificates();
  void take_certificates();
  void end_manager();
  [[nodiscard]] std::string serving_text() const;

  [[nodiscard]] unsigned wanted_shards(const snapshot::ProcessSettings& settings) const;
  [[nodiscard]] std::string wanted_access_log(const snapshot::ProcessSettings& settings) const;
  [[nodiscard]] Duration drain_timeout() const;

  const RunOptions& options_;
  unsigned shard_count_ = 0;     // these two are fixed by start()
  std::string access_log_path_;  // "off": none
  uint64_t descriptors_ = 0;     // that the process may have
  const std::shared_ptr<ProcessState> state_ = std::make_shared<ProcessState>();
  std::shared_ptr<tls::TicketKeyring> ticket_keys_;  // of this process; kept over reloads. Set by start()
  std::optional<snapshot::Cell> cell_;               // set by start()
  DnsEndpoints dns_;
  std::unique_ptr<web::Server> status_server_;
  std::unique_ptr<web::Server> admin_server_;
  std::unique_ptr<AccessLogWriter> access_log_;  // null: off
  std::unique_ptr<dns::Resolver> resolver_;      // of names that clients request; the shards ask it
  std::unique_ptr<shard::ShardSet> shards_;
  std::optional<Watchdog> watchdog_;
  std::optional<ConfigWatcher> watcher_;  // --watch
  FallbackCertificates fallbacks_;
  std::shared_ptr<renewal::Manager> manager_;   // null: no document has asked for a certificate
  uint64_t published_challenges_ = 0;           // the board's revision that the snapshot has
  std::vector<ManagedServer> managed_servers_;  // of the documents that serve
  bool wants_reload_ = false;                   // for Secrets of the state directory, until it is not refused
  Clock::time_point reload_after_{};
  CertificateExpiry expiry_;
};

Status Process::start() {
  heap::configure();
  if (Status status = tls::initialize(); !status) return status;
  if (Status status = open_key_log(); !status) return status;
  descriptors_ = raise_descriptor_limit();
  const Result<tls::RsaBatching> batching = read_rsa_signing(options_.rsa_signing);
  if (!batching) return std::unexpected(batching.error());

  // First, so that a prober sees "starting" and not a refused connection.
  auto status_server = start_status_server(options_.status_address, *state_);
  if (!status_server) return failure("--status: " + status_server.error().message);
  status_server_ = std::move(*status_server);
  auto admin_server = start_admin_server(options_.admin_address, *state_);
  if (!admin_server) return failure("--admin: " + admin_server.error().message);
  admin_server_ = std::move(*admin_server);
  auto ticket_keys = tls::TicketKeyring::create(now_wall());
  if (!ticket_keys) return std::unexpected(ticket_keys.error());
  ticket_keys_ = std::move(*ticket_keys);
  if (options_.watches) {
    watcher_.emplace(options_.config_paths);
    if (const Status status = watcher_->restart(); !status) return failure("--watch: " + status.error().message);
  }
  config::Diagnostics diagnostics;
  Built built = load(diagnostics);
  log_diagnostics(diagnostics);
  std::unique_ptr<Snapshot>& snapshot = built.snapshot;
  if (snapshot == nullptr) {
    return failure(fmt::format("the configuration has {} (above); repair what they say, `sluice check` finds all",
                               config::counted(diagnostics.error_count(), "error")));
  }
  shard_count_ = wanted_shards(snapshot->process);
  cell_.emplace(shard_count_);
  if (Status status = check_descriptors(); !status) return status;
  if (Status status = open_access_log(snapshot->process); !status) return status;
  if (Status status = start_shards(*batching); !status) return status;
  if (Status status = shards_->bind_listeners(*snapshot); !status) return status;
  dns_.follow(*snapshot);
  look_up_due_names(kEndingSignals);
  publish(std::move(snapshot));
  managed_servers_ = std::move(built.managed_servers);
  if (Status status = follow_certificates(std::move(built.certificates)); !status) return status;
  state_->record_load(now_wall());
  state_->set_phase(Phase::serving);
  log::info("sluice " SLUICE_VERSION ": {}; {}, {} descriptors; status on {}, admin on {}", serving_text(),
            config::counted(shard_count_, "shard"), descriptors_, status_server_->address().to_string(),
            admin_server_->address().to_string());
  notify_ready(serving_text());
  return {};
}

Status Process::check_descriptors() const {
  const uint64_t needed = limits::reserved_descriptors + kDescriptorsPerShardMin * shard_count_;
  if (descriptors_ >= needed) return {};
  return failure(
      fmt::format("the limit of open descriptors is {}: with {}, {} are needed before the first connection; raise it "
                  "(LimitNOFILE= of the service, ulimit -n)",
                  descriptors_, config::counted(shard_count_, "shard"), needed));
}

Status Process::open_access_log(const snapshot::ProcessSettings& settings) {
  access_log_path_ = wanted_access_log(settings);
  if (access_log_path_ == "off") return {};
  auto access_log = AccessLogWriter::open(access_log_path_, state_);
  if (!access_log) return std::unexpected(access_log.error());
  access_log_ = std::move(*access_log);
  return {};
}

// The option, else what MeshConfig says, else one for each CPU.
unsigned Process::wanted_shards(const snapshot::ProcessSettings& settings) const {
  const unsigned wanted = options_.shard_count != 0 ? options_.shard_count : settings.concurrency.value_or(0);
  return wanted != 0 ? wanted : usable_cpu_count();
}

std::string Process::wanted_access_log(const snapshot::ProcessSettings& settings) const {
  if (options_.access_log) return *options_.access_log;
  if (!settings.access_log_file || *settings.access_log_file == "/dev/stdout") return "-";
  return settings.access_log_file->empty() ? "off" : *settings.access_log_file;
}

Duration Process::drain_timeout() const {
  if (options_.drain_timeout) return *options_.drain_timeout;
  return cell_->newest()->process.drain_timeout.value_or(limits::drain_timeout);
}

// What a reload does not change.
void Process::warn_of_fixed_settings(const snapshot::ProcessSettings& settings) const {
  if (const unsigned wanted = wanted_shards(settings); wanted != shard_count_) {
    log::warning("reload: the configuration asks for {}; {} run until sluice is started again",
                 config::counted(wanted, "shard"), shard_count_);
  }
  if (const std::string wanted = wanted_access_log(settings); wanted != access_log_path_) {
    log::warning("reload: the configuration asks for the access log {}; it stays {} until sluice is started again",
                 config::in_quotes(wanted), config::in_quotes(access_log_path_));
  }
}

Status Process::start_shards(tls::RsaBatching batching) {
  auto resolver = dns::Resolver::start(options_.dns_servers);
  if (!resolver) return std::unexpected(resolver.error());
  resolver_ = std::move(*resolver);
  auto shards = shard::ShardSet::start(shard_count_, *cell_, batching, resolver_.get());
  if (!shards) return std::unexpected(shards.error());
  shards_ = std::move(*shards);
  std::vector<const observe::ShardObserver*> observers;
  std::vector<observe::AccessLogBuffer*> buffers;
  for (unsigned i = 0; i < shards_->count(); ++i) {
    observers.push_back(&shards_->observer(i));
    buffers.push_back(&shards_->observer(i).access_log);
  }
  state_->set_shards(std::move(observers));
  if (access_log_ != nullptr) access_log_->start(std::move(buffers));
  if (const auto interval = watchdog_interval()) watchdog_.emplace(*interval, shard_count_, Clock::now());
  return {};
}

// Fills in the addresses, makes it current, and waits until every shard runs on it.
void Process::publish(std::unique_ptr<Snapshot> snapshot) {
  dns_.fill(*snapshot);
  const renewal::ChallengeBoard::Posted posted =
      manager_ == nullptr ? renewal::ChallengeBoard::Posted{} : manager_->board().posted();
  snapshot->challenges = posted.challenges;
  state_->publish(*cell_, std::move(snapshot));
  shards_->wake_all();
  const uint64_t version = cell_->newest()->version;
  const auto give_up = Clock::now() + kAdoptionWait;
  while (!cell_->adopted_by_all(version) && Clock::now() < give_up) std::this_thread::sleep_for(kAdoptionTick);
  if (!cell_->adopted_by_all(version)) {
    log::warning("configuration version {}: not every shard runs on it after {} s; they follow when they can", version,
                 std::chrono::seconds(kAdoptionWait).count());
  } else if (manager_ != nullptr) {
    manager_->board().served(posted.revision);
  }
  published_challenges_ = posted.revision;
  cell_->collect();
}

void Process::serve() {
  while (true) {
    switch (next_signal(watcher_ ? kWatchTick : kTick)) {
      case SIGHUP: reload(); break;
      case SIGUSR1:
        if (access_log_ != nullptr) access_log_->reopen();
        break;
      case SIGTERM:
      case SIGINT: return drain();
      default: break;
    }
    if (watcher_ && watcher_->is_due(Clock::now())) {
      log::info("watch: files of the configuration have changed");
      reload();
    }
    refresh_names();
    look_at_certificates();
    cell_->collect();
    ticket_keys_->rotate(now_wall());  // also when no client comes
    if (watchdog_) watchdog_->look(*shards_, Clock::now());
  }
}

void Process::reload() {
  log::info("reload: reading the configuration");
  notify_reloading();
  if (watcher_) {
    if (const Status status = watcher_->restart(); !status)
      log::error("watch: {}; changes there are not seen: SIGHUP reloads", status.error().message);
  }
  config::Diagnostics diagnostics;
  Built built = load(diagnostics);
  std::unique_ptr<Snapshot>& snapshot = built.snapshot;
  log_diagnostics(diagnostics);
  if (snapshot != nullptr) {
    if (const Status bound = shards_->bind_listeners(*snapshot); !bound) {
      diagnostics.error({}, bound.error().message);
      log::error("reload: {}", bound.error().message);
      snapshot.reset();
    }
  }
  if (snapshot == nullptr) {
    state_->record_failed_reload(now_wall(), error_texts(diagnostics));
    log::error("reload: refused with {} (above); still {}", config::counted(diagnostics.error_count(), "error"),
               serving_text());
    return notify_ready(fmt::format("reload refused; {}", serving_text()));
  }
  warn_of_fixed_settings(snapshot->process);
  dns_.follow(*snapshot);
  look_up_due_names(kEndingSignals);
  publish(std::move(snapshot));
  managed_servers_ = std::move(built.managed_servers);
  if (const Status status = follow_certificates(std::move(built.certificates)); !status)
    log::error("reload: no certificates are obtained: {}", status.error().message);
  wants_reload_ = false;
  state_->record_reload(now_wall());
  log::info("reload: done; {}", serving_text());
  notify_ready(serving_text());
}

Built Process::load(config::Diagnostics& diagnostics) {
  return build_snapshot({.paths = options_.config_paths, .issued_folder = issued_folder()}, now_wall(), what_it_keeps(),
                        diagnostics);
}

std::string Process::issued_folder() const { return renewal::Store::secrets_folder(options_.state_directory); }

Serving Process::what_it_keeps() { return {.ticket_keys = ticket_keys_, .fallbacks = &fallbacks_}; }

// --- Managed certificates --------------------------------------------------------------------------

// Of the snapshot that is current. The manager starts with the first document that wants it.
Status Process::follow_certificates(config::ManagedCertificates certificates) {
  if (manager_ == nullptr && certificates.certificates.empty()) return {};
  if (manager_ == nullptr) {
    auto manager = renewal::Manager::start(options_.state_directory);
    if (!manager) return std::unexpected(manager.error());
    manager_ = std::move(*manager);
    state_->set_manager(manager_);
  }
  renewal::PossibleChallenges possible;
  for (const snapshot::Listener& listener : cell_->newest()->listeners) {
    possible.tls_alpn_01 = possible.tls_alpn_01 || listener.is_tls;
    possible.http_01 = possible.http_01 || (!listener.is_tls && !listener.is_tcp);
  }
  manager_->follow(std::move(certificates), possible);
  return {};
}

void Process::look_at_certificates() {
  expiry_.look(*cell_->newest(), now_wall());
  if (manager_ == nullptr) return;
  // Answers to challenges are not documents: the same configuration with them is a new snapshot with the same hash.
  renewal::ChallengeBoard& board = manager_->board();
  if (board.posted().revision != published_challenges_) publish(std::make_unique<Snapshot>(*cell_->newest()));
  if (board.has_news() && cell_->adopted_by_all(cell_->newest()->version)) board.served(published_challenges_);
  const renewal::News news = manager_->take_news();
  if (news.has_certificates) take_certificates();
  if (news.needs_load) {
    wants_reload_ = true;
    reload_after_ = {};
  }
  if (!wants_reload_ || Clock::now() < reload_after_) return;
  log::info("certificates: Secrets of the state directory have changed");
  reload();
  reload_after_ = Clock::now() + kRefusedReloadPause;  // if the documents have an error
}

// New ones of this process, or of another that manages the same state directory.
void Process::take_certificates() {
  config::Diagnostics diagnostics;
  std::unique_ptr<Snapshot> snapshot =
      swap_certificates(*cell_->newest(), managed_servers_, issued_folder(), now_wall(), what_it_keeps(), diagnostics);
  log_diagnostics(diagnostics);
  if (snapshot != nullptr) {
    publish(std::move(snapshot));
    log::info("certificates: swapped; {}", serving_text());
  }
  // What a destination is shown is compiled with what it is verified by.
  const bool is_shown = std::ranges::any_of(cell_->newest()->clusters, [](const snapshot::Cluster& cluster) {
    return cluster.tls && cluster.tls->is_managed;
  });
  if (!is_shown) return;
  wants_reload_ = true;
  reload_after_ = {};
}

// Its state directory is free for another process from here on.
void Process::end_manager() {
  state_->set_manager(nullptr);
  manager_.reset();
}

// A round takes seconds when a name server is silent: it is given up for a signal that is more urgent. True when an
// address has changed.
bool Process::look_up_due_names(std::span<const int> more_urgent) {
  const std::vector<std::string> due = dns_.due_names(Clock::now());
  if (due.empty()) return false;
  const auto answers = dns::look_up_addresses(due, options_.dns_servers, limits::dns_round_max,
                                              [more_urgent] { return is_pending(more_urgent); });
  const bool is_changed = dns_.record(answers, Clock::now());
  // A reload that comes now does not wait for these names again.
  if (answers.size() < due.size()) dns_.postpone_due_names(Clock::now());
  return is_changed;
}

// The same configuration with new addresses is a new snapshot with the same hash.
void Process::refresh_names() {
  if (!look_up_due_names(kHandledSignals)) return;
  publish(std::make_unique<Snapshot>(*cell_->newest()));
  log::info("dns: addresses have changed; {}", serving_text());
}

void Process::drain() {
  const auto started = Clock::now();
  const Duration limit = drain_timeout();
  state_->set_phase(Phase::draining);
  end_manager();
  const uint64_t open_at_start = shards_->open_connections();
  log::info("draining: {} may take {} s to end; a second signal ends all at once",
            config::counted(open_at_start, "connection"), to_milliseconds(limit) / 1000);
  notify_stopping("draining");
  shards_->begin_drain();
  while (shards_->open_connections() > 0 && Clock::now() - started < limit) {
    const int signal = next_signal(kDrainTick);
    if (signal == SIGTERM || signal == SIGINT) {
      log::warning("draining: ended by a second signal");
      break;
    }
    if (watchdog_) watchdog_->look(*shards_, Clock::now());
  }
  log::info("draining: over after {} ms, cutting off {}",
            std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started).count(),
            config::counted(shards_->open_connections(), "connection"));
}

// The admin pages read the shards and the snapshot, the access log's thread reads the shards' buffers:
// first they let go, then the shards end, and their last lines are written.
Process::~Process() {
  admin_server_.reset();
  status_server_.reset();
  end_manager();
  state_->set_shards({});
  state_->forget_snapshot();
  if (shards_ != nullptr) shards_->stop();
  access_log_.reset();
  shards_.reset();
}

std::string Process::serving_text() const {
  const Snapshot* snapshot = cell_ ? cell_->newest() : nullptr;
  if (snapshot == nullptr) return "no configuration";
  return fmt::format("serving configuration {} (version {}): {}, {}", snapshot->hash, snapshot->version,
                     config::counted(snapshot->listeners.size(), "listener"),
                     config::counted(snapshot->certificates.size(), "certificate"));
}

}  // namespace

int run(const RunOptions& options) {
  prepare_signals();
  Process process(options);
  if (const Status status = process.start(); !status) {
    log::error("cannot start: {}", status.error().message);
    return 1;
  }
  process.serve();
  return 0;
}

}  // namespace sluice::control
