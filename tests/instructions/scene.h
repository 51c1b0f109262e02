// What the sequences are made of: a gateway in a simulated world in which nothing happens by chance, an upstream that
// answers every request in the same way, and clients. As on a busy machine, what several clients say at once is there
// at once: a turn of the loop serves all of them.
#pragma once

#include "dialogue.h"
#include "openssl_client.h"
#include "snapshot/snapshot.h"
#include "support/http2_ends.h"

#include "base/check.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::instructions {

inline const SocketAddress plain_listener = sim::dialogue_listen_address;
inline const SocketAddress tls_listener = *SocketAddress::parse("192.0.2.100:443");
inline const SocketAddress proxy_listener = *SocketAddress::parse("192.0.2.100:3128");

class Scene : public sim::Dialogue {
 public:
  explicit Scene(std::unique_ptr<snapshot::Snapshot> snapshot = sim::one_upstream_snapshot());

  // What the upstream says when it has read a request with so much content.
  void answer_with(std::string response, size_t request_content_bytes = 0);
  // The upstream speaks HTTP/2, and has that much content for every request.
  void answer_by_http2(size_t content_bytes);
  // The same; what the upstream is to do is done in between.
  template <typename IsDone>
  void run_until(IsDone is_done) {
    CHECK(until([&] {
      answer();
      return is_done();
    }));
  }

 private:
  void answer();
  void answer_streams();

  std::string response_;
  size_t request_content_bytes_ = 0;
  std::string content_;                                           // HTTP/2
  std::vector<std::unique_ptr<test::Http2End>> http2_upstreams_;  // by upstream
  bool is_http2_ = false;
};

// The whole of a message whose content has that many bytes, and nothing else.
[[nodiscard]] bool is_whole_message(std::string_view text, size_t content_bytes);

// A response as web servers give it.
[[nodiscard]] std::string response_of(size_t content_bytes);

// A client's connection, with TLS or without.
class Wire {
 public:
  Wire(Scene& scene, const SocketAddress& listener) : speaker_(scene.connect(listener)) {}
  // With TLS 1.3, the handshake done, which negotiates `protocol` (ALPN) and resumes `session` if there is one.
  Wire(Scene& scene, const std::string& protocol, test::OpensslSession session = nullptr);

  void say(std::string_view text);
  // What has come since the last call.
  [[nodiscard]] std::string take_heard();
  // With TLS, its end is told before: OpenSSL resumes no session whose connection broke off.
  void close();
  [[nodiscard]] sim::Speaker& speaker() noexcept { return speaker_; }
  // TLS: for another connection, once something was heard.
  [[nodiscard]] test::OpensslSession session() const { return tls_->sessions().at(0); }
  [[nodiscard]] bool is_resumed() const { return tls_->is_resumed(); }

 private:
  sim::Speaker& speaker_;
  std::unique_ptr<test::OpensslClient> tls_;
};

// A client of HTTP/1.1: one request at a time.
class Http1Client {
 public:
  explicit Http1Client(Wire wire) : wire_(std::move(wire)) {}

  void ask(std::string_view request, size_t response_content_bytes);
  [[nodiscard]] bool is_answered();
  [[nodiscard]] Wire& wire() noexcept { return wire_; }

 private:
  Wire wire_;
  std::string heard_;
  size_t content_bytes_ = 0;
};

// A client of HTTP/2: several requests at a time.
class Http2Client {
 public:
  explicit Http2Client(Wire wire) : wire_(std::move(wire)) {}

  void ask(unsigned count);
  // All of them. Takes what comes.
  [[nodiscard]] bool is_answered(size_t response_content_bytes);

 private:
  void pass();

  Wire wire_;
  std::unique_ptr<test::Http2End> end_ = std::make_unique<test::Http2End>(test::Http2End::Role::client);
  std::vector<size_t> received_;  // by message
};

}  // namespace sluice::instructions
