#include "proxy/mirrored_request.h"

#include "base/limits.h"
#include "base/release_memory.h"
#include "forward/copy.h"
#include "http/authority.h"

namespace sluice::proxy {

using forward::CopyStatus;

void MirroredRequest::send(Services& services, AdoptedSnapshot& snapshot, uint32_t cluster,
                           const ClientConnection& client, const http::RequestHead& head, std::string_view target,
                           std::string_view content) {
  // A mirror that never answers leaves room for others.
  if (services.mirrored_requests.count() >= limits::mirrored_requests_max ||
      snapshot.clusters.copies_under_way(cluster) >= limits::mirrored_requests_per_cluster_max) {
    services.observer.counters.mirrored_requests_lost.add();
    return;
  }
  MirroredRequest& request = services.mirrored_requests.create(services, snapshot, cluster);
  if (request.copy(head, target, content)) {
    request.start(client);
  } else {
    request.give_up();
  }
}

MirroredRequest::MirroredRequest(Services& services, AdoptedSnapshot& snapshot, uint32_t cluster) noexcept
    : services_(services),
      snapshot_(snapshot),
      cluster_(cluster),
      arena_(limits::exchange_arena_bytes_max),
      request_(arena_),
      response_(arena_),
      borrowed_(services, {.on_change = on_upstream_change, .owner = this}),
      task_([](void* self) { static_cast<MirroredRequest*>(self)->advance(); }, this),
      timer_(on_timeout, this) {
  services_.snapshots.pin(snapshot_);
  ++snapshot_.clusters.copies_under_way(cluster_);
  services_.open_mirrored_requests.push_back(*this);
}

MirroredRequest::~MirroredRequest() {
  task_.unlink_if_linked();
  unlink();
}

// --- The copy --------------------------------------------------------------------------------------

// What goes on the wire, by HTTP/1 or HTTP/2. False: it does not fit.
bool MirroredRequest::copy(const http::RequestHead& head, std::string_view target, std::string_view content) {
  if (!services_.kept_content.take(content.size())) return false;
  content_ = content;
  bool fits = true;
  const auto copied = [&](std::string_view text) {
    const std::string_view copy = arena_.copy(text);
    fits = fits && copy.data() != nullptr;
    return copy;
  };
  request_.method = copied(head.method);
  request_.target = copied(target);
  request_.authority = copied(head.authority);
  request_.host = copied(head.host);
  request_.framing = head.framing;
  request_.content_length = head.content_length;
  request_.is_https = head.is_https;
  for (const auto& [name, value] : head.headers) fits = fits && request_.headers.add(copied(name), copied(value));
  return fits && name_shadow();
}

bool MirroredRequest::name_shadow() {
  constexpr std::string_view suffix = "-shadow";
  const auto parsed = http::parse_authority(request_.authority);
  if (!parsed || parsed->host.empty()) return true;
  // The name is the beginning of the authority, in brackets or not.
  const std::string_view name = request_.authority.substr(0, parsed->host.size());
  std::string_view authority = arena_.copy(name);
  if (authority.data() != nullptr) authority = arena_.append(authority, suffix);
  if (authority.data() != nullptr) authority = arena_.append(authority, request_.authority.substr(name.size()));
  if (authority.data() == nullptr) return false;
  request_.authority = authority;
  return request_.headers.set("host", authority);
}

// --- The way ---------------------------------------------------------------------------------------

void MirroredRequest::start(const ClientConnection& client) {
  services_.loop.timers().arm(timer_, services_.loop.now() + limits::mirrored_request_timeout);
  on_borrowed(borrowed_.borrow(snapshot_, cluster_, client, {.host = request_.host}, request_.version,
                               BorrowedUpstream::Wanted::any));
}

void MirroredRequest::on_upstream_change(void* self) { static_cast<MirroredRequest*>(self)->advance_later(); }

void MirroredRequest::advance_later() noexcept {
  if (!task_.is_linked()) services_.loop.run_later(task_);
}

void MirroredRequest::advance() {
  if (state_ == State::connecting) return on_borrowed(borrowed_.look_at_connect(BorrowedUpstream::Wanted::any));
  if (unsent_) send_content();
  if (state_ == State::awaiting_head) return await_head();
  read_content();
}

void MirroredRequest::on_borrowed(BorrowedUpstream::Status status) {
  switch (status) {
    case BorrowedUpstream::Status::connecting: return;
    case BorrowedUpstream::Status::ready: return begin_to_send();
    case BorrowedUpstream::Status::unavailable:
    case BorrowedUpstream::Status::overflow:
    case BorrowedUpstream::Status::failed:
    case BorrowedUpstream::Status::unresolved:
    case BorrowedUpstream::Status::forbidden: return give_up();
  }
}

void MirroredRequest::begin_to_send() {
  state_ = State::awaiting_head;
  if (upstream::Http2Request* shared = borrowed_.http2()) {
    upstream_ = &side_.emplace<Http2UpstreamSide>(*shared);
  } else {
    upstream_ = &side_.emplace<Http1UpstreamSide>(borrowed_.connection());
  }
  upstream_->expect_head(response_, request_.method);
  upstream_->write_head(request_, request_.target);
  services_.observer.counters.mirrored_requests.add();
  if (request_.has_content()) unsent_.emplace(content_, arena_);
  advance_later();
  upstream_->flush();
}

void MirroredRequest::send_content() {
  const CopyStatus status = forward::copy_content(*unsent_, &upstream_->request()).status;
  if (status == CopyStatus::done) {
    unsent_.reset();
    forget_content();
  }
  if (status == CopyStatus::yield) advance_later();
  upstream_->flush();
}

void MirroredRequest::await_head() {
  switch (upstream_->read_head()) {
    case HeadStatus::pending: return;
    case HeadStatus::done: break;
    case HeadStatus::failed:
    case HeadStatus::ended: return end();
  }
  if (response_.status >= 200) {
    borrowed_.learn_patience(response_);
    state_ = State::reading_content;
    return read_content();
  }
  if (response_.status == 101 || ++informational_count_ > limits::informational_responses_max) return end();
  response_ = http::ResponseHead(arena_);
  upstream_->expect_head(response_, request_.method);
  advance_later();
}

void MirroredRequest::read_content() {
  switch (forward::copy_content(upstream_->response(), nullptr).status) {
    case CopyStatus::blocked: return upstream_->flush();
    case CopyStatus::yield: return advance_later();
    case CopyStatus::done: return end(/*is_reusable=*/!unsent_ && response_.keep_alive);
    case CopyStatus::source_ended:
    case CopyStatus::source_failed:
    case CopyStatus::sink_failed: return end();
  }
}

void MirroredRequest::on_timeout(void* self) {
  auto& request = *static_cast<MirroredRequest*>(self);
  request.state_ == State::connecting ? request.give_up() : request.end();
}

// --- The end ---------------------------------------------------------------------------------------

// Nothing of it was sent.
void MirroredRequest::give_up() {
  services_.observer.counters.mirrored_requests_lost.add();
  end();
}

void MirroredRequest::forget_content() noexcept {
  services_.kept_content.give_back(content_.size());
  release_memory(content_);
}

void MirroredRequest::end(bool is_reusable) {
  timer_.cancel();
  upstream_ = nullptr;
  side_.emplace<std::monostate>();
  borrowed_.release(is_reusable);
  unsent_.reset();
  forget_content();
  --snapshot_.clusters.copies_under_way(cluster_);
  services_.snapshots.unpin(snapshot_);
  services_.mirrored_requests.destroy(*this);
}

}  // namespace sluice::proxy
