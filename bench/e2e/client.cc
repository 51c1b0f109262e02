#include "client.h"

#include <algorithm>
#include <cctype>
#include <utility>

namespace sluice::bench {

void Connection::start() {
  transport_ = std::make_unique<transport::Transport>(target_.loop, on_change, this);
  is_open_ = offers_resumption_ = was_refused_ = false;
  transport_->stream().connect(target_.address);
}

void Connection::send(std::string_view bytes) {
  transport_->write(as_bytes(bytes));
  transport_->flush();
}

void Connection::advance() {
  io::Stream& stream = transport_->stream();
  if (stream.is_closed()) {
    if (!retire_task_.is_linked()) target_.loop.retire(retire_task_);
    return;
  }
  if (stream.is_terminating() || stream.is_connecting()) return;
  if (stream.connect_error() != 0) return stream.terminate();
  if (target_.context != nullptr && !shake_hands()) return;
  if (!std::exchange(is_open_, true)) on_open();
  for (ConstBytes bytes = transport_->readable(); !bytes.empty(); bytes = transport_->readable()) {
    on_bytes(bytes);
    if (stream.is_terminating()) return;
    transport_->consume(bytes.size());
  }
  if (transport_->is_at_end()) stream.terminate();
}

bool Connection::shake_hands() {
  if (!transport_->is_tls()) {
    offers_resumption_ = resumable_ != nullptr;
    auto session = tls::Session::connect(*target_.context, "bench.test", std::move(resumable_), &target_.handshakes,
                                         {.on_ready = on_change, .owner = this});
    if (session == nullptr) {
      end();
      return false;
    }
    transport_->start_tls(std::move(session));
  }
  if (transport_->session()->is_handshake_done()) return true;
  const tls::SessionStatus status = transport_->drive_handshake();
  if (status == tls::SessionStatus::ok) {
    was_refused_ = offers_resumption_ && !transport_->session()->is_resumed();
    return true;
  }
  if (status == tls::SessionStatus::failed || status == tls::SessionStatus::closed ||
      transport_->stream().has_receive_ended()) {
    end();
  }
  return false;
}

void Connection::close() {
  if (target_.resumes && is_open_ && transport_->is_tls()) resumable_ = transport_->session()->take_resumable();
  transport_.reset();
  on_closed();
}

Response::State Response::take(ConstBytes bytes) {
  if (!is_in_body_) {
    const size_t before = head_.size();
    head_.append(as_text(bytes));
    const size_t end = head_.find("\r\n\r\n");
    if (end == std::string::npos) return State::incomplete;
    bytes = bytes.subspan(end + 4 - before);
    head_.resize(end + 2);
    std::ranges::transform(head_, head_.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    constexpr std::string_view kLength = "\r\ncontent-length: ";
    const size_t length = head_.find(kLength);
    if (!head_.starts_with("http/1.1 200") || length == std::string::npos ||
        !read_number(std::string_view(head_).substr(length + kLength.size()), body_left_)) {
      return State::wrong;
    }
    head_.clear();
    is_in_body_ = true;
  }
  if (bytes.size() > body_left_) return State::wrong;
  body_left_ -= bytes.size();
  if (body_left_ > 0) return State::incomplete;
  is_in_body_ = false;
  return State::complete;
}

double milliseconds_at(const std::vector<Duration>& sorted, double share) {
  if (sorted.empty()) return 0;
  const auto index = static_cast<size_t>(share * static_cast<double>(sorted.size() - 1));
  return std::chrono::duration<double, std::milli>(sorted[index]).count();
}

}  // namespace sluice::bench
