#include "shard/shard_set.h"

#include "base/log.h"
#include "io/socket.h"
#include "shard/shard.h"

#include <sched.h>

#include <algorithm>
#include <map>
#include <utility>

namespace sluice::shard {

namespace {

// The CPUs that this process may run on, in order.
std::vector<unsigned> usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<unsigned> cpus;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return cpus;
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

}  // namespace

ShardSet::ShardSet() = default;

ShardSet::~ShardSet() { stop(); }

Result<std::unique_ptr<ShardSet>> ShardSet::start(unsigned count, snapshot::Cell& cell, tls::RsaBatching batching,
                                                  NameLookup* names) {
  const std::vector<unsigned> cpus = usable_cpus();
  std::unique_ptr<ShardSet> set(new ShardSet);
  for (unsigned i = 0; i < count; ++i) {
    const std::optional<unsigned> cpu = count == cpus.size() ? std::optional(cpus[i]) : std::nullopt;
    auto shard = std::make_unique<Shard>(i, count, cpu, cell, batching, names);
    if (Status status = shard->start(); !status) return std::unexpected(status.error());
    set->shards_.push_back(std::move(shard));
  }
  return set;
}

namespace {

io::ListenedClients clients_of(const snapshot::Listener& listener) {
  if (listener.role != snapshot::ListenerRole::redirected) return io::ListenedClients::direct;
  return listener.is_transparent ? io::ListenedClients::transparent : io::ListenedClients::redirected;
}

// Outbound traffic is listened for over both versions of IP where nobody says otherwise; a machine may have one.
bool is_of_missing_family(const snapshot::Listener& listener) {
  return listener.role != snapshot::ListenerRole::gateway && listener.address.family == SocketAddress::Family::ipv6 &&
         !io::has_address(listener.address);
}

}  // namespace

Status ShardSet::bind_listeners(const snapshot::Snapshot& snapshot) {
  std::map<SocketAddress, io::ListenedClients> wanted;
  for (const snapshot::Listener& listener : snapshot.listeners) {
    if (is_of_missing_family(listener)) {
      log::warning("outbound traffic is not listened for on {}: this machine has no such address",
                   listener.address.to_string());
    } else {
      wanted.emplace(listener.address, clients_of(listener));
    }
  }
  // A socket is for one kind of clients: where that changes, another one takes its place.
  const auto is_bound = [this](const SocketAddress& address, io::ListenedClients clients) {
    const auto found = bound_.find(address);
    return found != bound_.end() && found->second.clients == clients;
  };

  std::vector<std::vector<BoundSocket>> sockets(shards_.size());
  for (const auto& [address, clients] : wanted) {
    if (is_bound(address, clients)) continue;
    for (std::vector<BoundSocket>& of_shard : sockets) {
      const bool is_shared = !address.is_ip() && &of_shard != &sockets.front();
      Result<int> fd = is_shared ? io::share_listener(sockets.front().back().fd) : io::open_listener(address, clients);
      if (!fd) {
        for (const BoundSocket& socket : sockets.front())
          io::remove_listener_file(socket.address, io::file_of_listener(socket.address));
        for (const auto& opened : sockets) {
          for (const BoundSocket& socket : opened) io::close_descriptor(socket.fd);
        }
        return std::unexpected(fd.error());
      }
      of_shard.push_back({.address = address, .fd = *fd});
    }
  }
  for (size_t i = 0; i < shards_.size(); ++i) shards_[i]->give_listeners(std::move(sockets[i]));
  std::erase_if(bound_, [&wanted](const auto& each) {
    if (wanted.contains(each.first)) return false;
    io::remove_listener_file(each.first, each.second.file);
    return true;
  });
  for (const auto& [address, clients] : wanted) {
    if (!is_bound(address, clients))
      bound_.insert_or_assign(address, Bound{.clients = clients, .file = io::file_of_listener(address)});
  }
  return {};
}

void ShardSet::wake_all() noexcept {
  for (const auto& shard : shards_) shard->wake();
}

// With the listeners, so that the process that comes next finds the names free.
void ShardSet::remove_files() noexcept {
  for (const auto& [address, bound] : std::exchange(bound_, {})) io::remove_listener_file(address, bound.file);
}

void ShardSet::begin_drain() noexcept {
  remove_files();
  for (const auto& shard : shards_) shard->begin_drain();
}

uint64_t ShardSet::open_connections() const noexcept {
  uint64_t count = 0;
  for (const auto& shard : shards_) count += shard->observer().counters.connections_active.value();
  return count;
}

void ShardSet::stop() noexcept {
  for (const auto& shard : shards_) {
    if (shard->is_running()) shard->begin_stop();
  }
  for (const auto& shard : shards_) shard->join();
  remove_files();
}

observe::ShardObserver& ShardSet::observer(unsigned index) noexcept { return shards_[index]->observer(); }

uint64_t ShardSet::turns(unsigned index) const noexcept {
  return shards_[index]->observer().counters.loop_turns.value();
}

}  // namespace sluice::shard
