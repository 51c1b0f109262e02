#include "proxy/borrowed_upstream.h"

#include "base/check.h"
#include "base/limits.h"

#include <cerrno>
#include <utility>

namespace sluice::proxy {

BorrowedUpstream::~BorrowedUpstream() { CHECK(connection_ == nullptr); }

BorrowedUpstream::Status BorrowedUpstream::borrow(AdoptedSnapshot& snapshot, uint32_t cluster, Wanted wanted) {
  CHECK(connection_ == nullptr);
  snapshot_ = &snapshot;
  cluster_ = cluster;
  return open(wanted);
}

// The place for TLS to upstreams: until it is there, such a cluster is not to be reached. In plaintext it must not be.
BorrowedUpstream::Status BorrowedUpstream::open(Wanted wanted) {
  const snapshot::Cluster& cluster = snapshot_->tables.clusters[cluster_];
  if (cluster.tls) {
    failure_reason_ = "upstream_tls_not_supported";
    return Status::unavailable;
  }
  endpoint_ = snapshot_->clusters.choose(cluster_, services_.random, endpoint_);
  if (endpoint_ == nullptr) return Status::unavailable;
  ++attempts_;
  ++endpoint_->active_requests;
  address_ = endpoint_->address();
  connection_ = &services_.upstreams.borrow(*endpoint_, cluster.connect_timeout, wanted == Wanted::fresh, borrower_);
  return connection_->is_ready() ? Status::ready : Status::connecting;
}

BorrowedUpstream::Status BorrowedUpstream::look_at_connect(Wanted wanted) {
  if (connection_->connect_error() == 0) return connection_->is_ready() ? Status::ready : Status::connecting;
  failure_reason_ = connection_->connect_error() == ETIMEDOUT ? "connection_timeout" : "connection_failure";
  release(/*reusable=*/false);
  if (attempts_ >= limits::connect_attempts_max) return Status::failed;
  services_.observer.counters.upstream_retries.add();
  return open(wanted);
}

void BorrowedUpstream::keep_endpoint() {
  kept_ = endpoint_->shared_from_this();
  snapshot_ = nullptr;
}

void BorrowedUpstream::release(bool reusable, io::Stream::Ending ending) {
  if (connection_ == nullptr) return;
  --endpoint_->active_requests;
  if (connection_->is_ready() && local_address_.port == 0 && services_.observer.access_log.is_enabled())
    local_address_ = connection_->local_address();
  upstream::Connection& connection = *std::exchange(connection_, nullptr);
  if (reusable) {
    connection.give_back();
  } else {
    connection.discard(ending);
  }
  if (kept_ == nullptr) return;
  endpoint_ = nullptr;
  kept_.reset();
}

}  // namespace sluice::proxy
