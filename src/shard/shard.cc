#include "shard/shard.h"

#include "base/heap.h"
#include "base/limits.h"
#include "base/log.h"
#include "io/socket.h"
#include "proxy/client_connection.h"
#include "proxy/exchange.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <utility>

namespace sluice::shard {

namespace {

// Also the pulse that a watchdog looks for.
constexpr Duration kTurnWaitMax = std::chrono::milliseconds(500);

constexpr Duration kTidyInterval = std::chrono::seconds(1);

// When the heap is asked to give memory back. Fewer connections leave nothing behind that is worth looking for.
constexpr size_t kPeakMin = 128;             // connections
constexpr uint64_t kChangesMin = 128;        // connections that came or went
constexpr uint64_t kChangesWhenQuiet = 16;   // between two tidies, at most
constexpr unsigned kTidiesBeforeGiving = 2;  // by then the pools have freed what they do not need any more

constexpr int kSigningNice = 10;  // a tenth of a shard's weight (sched(7))

// How many connections a shard may have: by its own limit, and by its share of the descriptors, of
// which a connection needs one for itself, one for its upstream and, now and then, more (an idle
// upstream connection, pipes of a spliced body).
uint32_t connections_by_descriptors(unsigned shard_count) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur == RLIM_INFINITY) return limits::connections_per_shard_max;
  const rlim_t usable =
      limit.rlim_cur > limits::reserved_descriptors ? limit.rlim_cur - limits::reserved_descriptors : 1;
  return static_cast<uint32_t>(std::clamp<rlim_t>(usable / 3 / shard_count, 1, limits::connections_per_shard_max));
}

void place_thread(std::string_view name, unsigned index, std::optional<unsigned> cpu) {
  pthread_setname_np(pthread_self(), (std::string(name) + "-" + std::to_string(index)).c_str());
  if (!cpu) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(*cpu, &set);
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

}  // namespace

Shard::Shard(unsigned index, unsigned shard_count, std::optional<unsigned> cpu, snapshot::Cell& cell,
             tls::RsaBatching batching, NameLookup* names)
    : index_(index),
      cpu_(cpu),
      cell_(cell),
      batching_(batching),
      names_(names),
      connections_max_(connections_by_descriptors(shard_count)) {}

Shard::~Shard() { CHECK(!thread_.joinable()); }

Status Shard::start() {
  std::promise<Status> started;
  std::future<Status> outcome = started.get_future();
  thread_ = std::thread([this, &started] { run(started); });
  Status status = outcome.get();
  if (!status) thread_.join();
  return status;
}

void Shard::run(std::promise<Status>& started) {
  place_thread("shard", index_, cpu_);

  Result<std::unique_ptr<io::Loop>> loop = io::Loop::create();
  if (!loop) {
    started.set_value(std::unexpected(loop.error()));
    return;
  }
  loop_ = std::move(*loop);
  mailbox_ = std::make_unique<io::Mailbox>(*loop_, [](void* self) { static_cast<Shard*>(self)->on_wake(); }, this);
  if (Status status = mailbox_->start(); !status) {
    mailbox_.reset();
    loop_.reset();
    started.set_value(std::move(status));
    return;
  }
  services_ =
      std::make_unique<proxy::Services>(*loop_, observer_, std::random_device{}() * uint64_t{0x1'0000'0001} + index_);
  if (names_ != nullptr) {
    services_->upstreams.names.ask(
        *names_, std::make_shared<NameAnswers>([](void* self) { static_cast<Shard*>(self)->wake(); }, this));
  }
  start_signing();
  started.set_value({});

  turn_until_stopped();

  // The mailbox stays for join(): other threads may wake a shard that has just ended.
  services_.reset();
  cell_.leave(index_);
}

void Shard::turn_until_stopped() {
  while (!stop_wanted_.load(std::memory_order_acquire)) {
    loop_->turn(kTurnWaitMax);
    adopt_snapshot();
    admit();
    services_->handshakes.end_turn();
    tidy();
    publish_statistics();
  }
  stop_everything();
  while (services_->client_connections.count() > 0 || !closing_listeners_.empty() || !mailbox_->is_idle())
    loop_->turn(kTurnWaitMax);
  observer_.access_log.set_format(nullptr);
  services_->snapshots.clear();  // and with the tables, the idle upstream connections
  while (services_->upstreams.connection_count() > 0) loop_->turn(kTurnWaitMax);
}

void Shard::tidy() noexcept {
  if (loop_->now() - tidied_at_ < kTidyInterval) return;
  tidied_at_ = loop_->now();
  services_->tidy();

  // Connections that have gone leave pages in the heap, and so do the handshakes of those that stay. It keeps them for
  // the next ones: until none come, or many fewer are left.
  const size_t open = services_->client_connections.count();
  const uint64_t changes = connection_changes();
  const bool is_quiet = changes - changes_at_last_tidy_ <= kChangesWhenQuiet;
  const bool is_rush_over = is_quiet && changes - changes_at_last_giving_ >= kChangesMin;
  const bool is_peak_over = connections_at_peak_ >= kPeakMin && open <= connections_at_peak_ / 2;
  changes_at_last_tidy_ = changes;
  tidies_before_giving_ = is_rush_over || is_peak_over ? tidies_before_giving_ + 1 : 0;
  if (tidies_before_giving_ < kTidiesBeforeGiving) return;
  tidies_before_giving_ = 0;
  connections_at_peak_ = open;
  changes_at_last_giving_ = changes;
  heap::give_back_spare_memory();
}

// How many connections have begun, to upstreams too, and how many of clients have ended. Never less than before.
uint64_t Shard::connection_changes() const noexcept {
  return 2 * observer_.counters.connections_accepted.value() - services_->client_connections.count() +
         services_->upstreams.opened_count;
}

// --- signatures ------------------------------------------------------------------------------------

// On the shard's own processor, so that what a shard costs stays there, but behind it in the queue for it: a batch
// takes up to 9 ms (RSA-4096), and established connections are served in the middle of it.
void Shard::start_signing() {
  services_->handshakes.signing.begin_service(batching_, [](void* self) { static_cast<Shard*>(self)->wake(); }, this);
  signing_thread_ = std::thread([this] {
    place_thread("signing", index_, cpu_);
    setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kSigningNice);  // refused: no harm but in latency
    services_->handshakes.signing.serve();
  });
}

void Shard::stop_signing() {
  services_->handshakes.signing.stop();
  signing_thread_.join();
}

// A new snapshot is looked for after every turn.
void Shard::on_wake() {
  services_->handshakes.signing.collect();
  services_->upstreams.names.collect();
  if (drain_wanted_.load(std::memory_order_acquire)) drain();
}

// --- configuration ---------------------------------------------------------------------------------

void Shard::adopt_snapshot() {
  const snapshot::Snapshot* newest = cell_.current();
  if (newest != nullptr && newest->version != services_->snapshots.current_version()) {
    services_->snapshots.adopt(*newest);
    cell_.report(index_, newest->version);
    observer_.access_log.set_format(newest->access_log_format ? &*newest->access_log_format : nullptr);
    take_given_listeners();
    follow_listeners(*newest);
  }
}

void Shard::give_listeners(std::vector<BoundSocket> sockets) {
  const std::lock_guard lock(given_mutex_);
  given_.insert(given_.end(), sockets.begin(), sockets.end());
}

// Only together with a snapshot that says what for.
void Shard::take_given_listeners() {
  std::vector<BoundSocket> sockets;
  {
    const std::lock_guard lock(given_mutex_);
    sockets.swap(given_);
  }
  for (const auto& [address, fd] : sockets) {
    if (draining_) {
      io::close_descriptor(fd);
      continue;
    }
    // A shard that slept through a snapshot without this address still has the socket of before.
    if (std::unique_ptr<accept::Listener>& before = listening_[address].listener; before != nullptr) {
      accept::Listener& closing = *closing_listeners_.emplace_back(std::move(before));
      closing.close();
    }
    listening_[address].listener = std::make_unique<accept::Listener>(
        *loop_, fd, address,
        accept::Listener::Events{.on_accepted = on_accepted, .on_closed = on_listener_closed, .owner = this});
  }
}

void Shard::follow_listeners(const snapshot::Snapshot& snapshot) {
  std::map<SocketAddress, const snapshot::Listener*> wanted;
  for (const snapshot::Listener& listener : snapshot.listeners) wanted.emplace(listener.address, &listener);

  for (auto entry = listening_.begin(); entry != listening_.end();) {
    const auto described = wanted.find(entry->first);
    if (described != wanted.end()) {
      entry->second.kind = proxy::kind_of(*described->second);
      if (admission_ != Admission::none && !draining_) entry->second.listener->start(accept_count(entry->first));
      ++entry;
    } else {
      accept::Listener& closing = *closing_listeners_.emplace_back(std::move(entry->second.listener));
      entry = listening_.erase(entry);
      closing.close();
    }
  }
}

// --- connections -----------------------------------------------------------------------------------

void Shard::on_accepted(void* self, accept::Listener& listener, int fd) {
  Shard& shard = *static_cast<Shard*>(self);
  const auto entry = shard.listening_.find(listener.address());
  if (shard.draining_ || entry == shard.listening_.end()) {  // accepted just before the listener was closed
    io::reset_on_close(fd);  // an end in order would be an answer, where bytes are carried as they are
    io::close_descriptor(fd);
    return;
  }
  shard.services_->client_connections.create(*shard.services_, listener.address(), entry->second.kind).on_accepted(fd);
  shard.admit();
}

// Beyond the limits new connections wait in the kernel's backlog, where they cost no memory of ours.
void Shard::admit() {
  const size_t open = services_->client_connections.count();
  connections_at_peak_ = std::max(connections_at_peak_, open);
  Admission admission = open + limits::accept_burst < connections_max_ ? Admission::bursts : Admission::one_by_one;
  if (open >= connections_max_ ||
      observer_.counters.tls_handshakes_active.value() >= limits::handshakes_per_shard_max) {
    admission = Admission::none;
  }
  if (admission == admission_ || draining_) return;
  admission_ = admission;
  if (admission == Admission::none) observer_.counters.admission_pauses.add();
  for (auto& [address, listening] : listening_) {
    if (admission == Admission::none) {
      listening.listener->pause();
    } else {
      listening.listener->start(accept_count(address));
    }
  }
}

// A Unix socket is shared: a shard that goes on accepting would be the only one that is woken, one that asks anew after
// each connection stands behind the others.
io::AcceptCount Shard::accept_count(const SocketAddress& address) const noexcept {
  return admission_ == Admission::bursts && address.is_ip() ? io::AcceptCount::many : io::AcceptCount::one;
}

void Shard::on_listener_closed(void* self, accept::Listener& listener) {
  Shard& shard = *static_cast<Shard*>(self);
  std::erase_if(shard.closing_listeners_, [&listener](const auto& closing) { return closing.get() == &listener; });
}

// --- the end ---------------------------------------------------------------------------------------

void Shard::begin_drain() noexcept {
  drain_wanted_.store(true, std::memory_order_release);
  wake();
}

void Shard::begin_stop() noexcept {
  stop_wanted_.store(true, std::memory_order_release);
  wake();
}

void Shard::drain() {
  if (std::exchange(draining_, true)) return;
  services_->draining = true;
  for (auto& [address, listening] : listening_) closing_listeners_.push_back(std::move(listening.listener));
  listening_.clear();
  for (const auto& listener : closing_listeners_) listener->close();
  services_->open_connections.for_each([](proxy::ClientConnection& connection) { connection.drain(); });
}

void Shard::stop_everything() {
  drain();
  take_given_listeners();
  services_->terminate();
  stop_signing();  // it wakes the shard
  mailbox_->stop();
}

void Shard::join() {
  if (thread_.joinable()) thread_.join();
  mailbox_.reset();
  loop_.reset();
}

void Shard::publish_statistics() noexcept {
  const io::Loop::Statistics& loop = loop_->statistics();
  const upstream::ConnectionPool& upstreams = services_->upstreams;
  observe::ShardCounters& counters = observer_.counters;
  counters.loop_turns.set(loop.turns);
  counters.completion_overflows.set(loop.completion_overflows);
  counters.receive_buffers_exhausted.set(loop.buffers_exhausted);
  counters.upstream_connections_opened.set(upstreams.opened_count);
  counters.upstream_connect_failures.set(upstreams.connect_failure_count);
  counters.upstream_reuses.set(upstreams.reuse_count);
  counters.upstream_bytes_received.set(upstreams.bytes_received);
  counters.upstream_bytes_sent.set(upstreams.bytes_sent);
  counters.mirrored_requests_active.set(services_->mirrored_requests.count());
  counters.upstream_connections_active.set(upstreams.connection_count());
}

}  // namespace sluice::shard
