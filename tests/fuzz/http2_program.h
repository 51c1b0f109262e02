// What fuzz_http2_server and fuzz_http2_client share: an owner that does what a byte tells it, and looks at everything
// that the session says. The input is a list of steps: a byte for what the owner does first, a byte for the length of a
// piece of the peer's bytes, and the piece.
#pragma once

#include "http/authority.h"
#include "http/chars.h"
#include "support/http2_ends.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace sluice::test {

class Http2Program {
 public:
  using Message = Http2End::Message;

  explicit Http2Program(Http2End& end, Http2End::Role role) : end_(end), is_server_(role == Http2End::Role::server) {
    end_.on_change = [this](Message& message) {
      CHECK(!message.stream.is_lost() || message.stream.content().empty());
      check(message);
      if (acts_at_once_) act(message, action_);
    };
  }

  // A request whose content is still to be sent.
  void note_open(const Message& message) { sent_.note(message, false); }

  void run(std::string_view program) {
    bool is_well = true;
    while (program.size() >= 2 && is_well) {
      action_ = static_cast<uint8_t>(program[0]);
      acts_at_once_ = (action_ & 0x80) != 0;
      if (!acts_at_once_ && !end_.messages.empty()) act(*end_.messages[action_ / 16 % end_.messages.size()], action_);
      const size_t size = std::min<size_t>(static_cast<uint8_t>(program[1]), program.size() - 2);
      is_well = end_.receive(program.substr(2, size));
      program.remove_prefix(2 + size);
      check_all();
    }
    if (is_well) {
      end_.session.end_of_input();
      end_.session.tell_changes();
    }
    CHECK(is_well || !end_.session.error_text().empty());
    CHECK(end_.session.is_finished());
    CHECK(end_.session.stream_count() == 0);
    for (const auto& message : end_.messages) CHECK(message->stream.writable_bytes() == 0);
  }

 private:
  void act(Message& message, uint8_t action) {
    http::Http2Stream& stream = message.stream;
    const http::HeaderList& trailers = message.request.headers;  // any fields
    switch (action % 12) {
      case 0: stream.consume(stream.content().size()); break;
      case 1: stream.consume(stream.content().size() / 2); break;
      case 2: begin_sending(message, action); break;
      case 3:
        if (may_send(message)) stream.write(as_bytes(std::string(5, 'a')));
        break;
      case 4:
        // The peer may open a window of 2 GiB.
        if (may_send(message))
          stream.write(as_bytes(std::string(std::min<size_t>(stream.writable_bytes(), 100'000) + 10, 'b')));
        break;
      case 5:
        if (may_send(message)) end_sending(message, nullptr);
        break;
      case 6:
        if (may_send(message)) end_sending(message, &trailers);
        break;
      case 7: stream.reset(http::Http2Error::cancel); break;
      case 8: end_.destroy(message); break;
      case 9: end_.session.note_time(now_ += std::chrono::minutes(1)); break;
      case 10: end_.accepts = !end_.accepts; break;
      case 11: end_.session.shut_down(); break;
    }
  }

  void begin_sending(Message& message, uint8_t action) {
    if (is_server_) {
      if (sent_.contains(message) || message.stream.id() == 0) return;
      if ((action & 0x40) != 0) message.stream.send_informational(103, http::HeaderList(message.arena));
      const bool is_end = (action & 0x20) != 0;
      message.stream.send_response(200, message.request.headers, {.body = http::BodyFraming::chunked}, is_end);
      sent_.note(message, is_end);
    } else if (end_.session.may_open()) {
      const bool is_end = (action & 0x20) != 0;
      sent_.note(end_.send((action & 0x40) != 0 ? "HEAD" : "POST", "/", {}, is_end), is_end);
    }
  }

  [[nodiscard]] bool may_send(const Message& message) const { return sent_.is_open(message); }
  void end_sending(Message& message, const http::HeaderList* trailers) {
    message.stream.finish(trailers);
    sent_.note(message, true);
  }

  void check_all() {
    CHECK(end_.session.stream_count() <= limits::http2_streams_max);
    size_t kept = 0;
    for (const auto& message : end_.messages) {
      check(*message);
      kept += message->stream.content().size();
    }
    CHECK(kept <= (is_server_ ? limits::http2_client_window_bytes : limits::http2_upstream_window_bytes));
    for (const WrittenFrame& written : end_.take_frames()) CHECK(written.payload.size() <= 16'384);
  }

  void check(const Message& message) {
    const http::Http2Stream& stream = message.stream;
    CHECK(stream.content().size() <= limits::http2_stream_window_bytes);
    CHECK(message.arena.used_bytes() <= limits::exchange_arena_bytes_max);
    CHECK((stream.error() != http::ReadError::none) == !stream.error_text().empty());
    CHECK(!stream.is_content_done() || stream.content().empty());
    if (stream.is_lost() || stream.head_progress() != http::Progress::done) return;
    if (is_server_) {
      check(message.request);
      check_fields(stream.trailers());
    } else {
      CHECK(message.response.status >= 100 && message.response.status != 101);
      CHECK(message.response.version == http::Version::http_2 && message.response.keep_alive);
      CHECK(message.response.framing != http::BodyFraming::until_close);
      check_fields(message.response.headers);
    }
  }

  static void check(const http::RequestHead& head) {
    CHECK(head.version == http::Version::http_2 && head.keep_alive);
    if (head.wants_upgrade) {
      CHECK(head.method == "GET" && !head.has_content());
      CHECK(http::is_token(head.upgrade) && !http::equals_ignoring_case(head.upgrade, "h2c"));
    }
    CHECK(http::is_token(head.method));
    CHECK(!head.target.empty() && http::consists_of(head.target, http::char_class::target));
    CHECK(head.method == "CONNECT" || head.target == "*" || head.path.starts_with('/'));
    CHECK(head.headers.count("host") == 1 && head.headers.count("cookie") <= 1);
    CHECK(http::is_same_authority(*head.headers.find("host"), head.authority));
    const auto authority = http::parse_authority(head.authority);
    CHECK(authority.has_value());
    CHECK(authority->host.size() - head.host.size() <= 1);  // a dot
    check_fields(head.headers);
  }

  static void check_fields(const http::HeaderList& fields) {
    CHECK(fields.size() <= limits::header_count_max);
    for (const auto& [name, value] : fields) {
      CHECK(http::is_token(name));
      for (const char c : name) CHECK(http::to_lower(c) == c);
      CHECK(http::consists_of(value, http::char_class::value));
      CHECK(http::trim(value) == value || name == "cookie");
      CHECK(name != "connection" && name != "transfer-encoding" && name != "upgrade" && name != "keep-alive");
    }
  }

  // Whose head was sent, and whether the end as well: the owner's part of the contract.
  class Sent {
   public:
    void note(const Message& message, bool is_ended) { ended_[message.stream.id()] = is_ended; }
    [[nodiscard]] bool contains(const Message& message) const { return ended_.contains(message.stream.id()); }
    [[nodiscard]] bool is_open(const Message& message) const {
      const auto found = ended_.find(message.stream.id());
      return found != ended_.end() && !found->second;
    }

   private:
    std::map<int32_t, bool> ended_;
  };

  Http2End& end_;
  Instant now_{};
  Sent sent_;
  uint8_t action_ = 0;
  bool acts_at_once_ = false;
  const bool is_server_;
};

}  // namespace sluice::test
