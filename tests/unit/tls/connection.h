// A Session and an OpenSSL client, with the wire between them in the test's hands.
#pragma once

#include "openssl_client.h"
#include "test_pairs.h"

#include "base/byte_sink.h"
#include "base/check.h"
#include "base/random.h"
#include "tls/server_context.h"
#include "tls/session.h"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace sluice::test {

// A sink that collects everything.
class StringSink {
 public:
  [[nodiscard]] ByteSink sink() {
    return {.reserve = [](void* owner, size_t at_least) -> MutableBytes {
              auto& self = *static_cast<StringSink*>(owner);
              self.room_.resize(std::max<size_t>(at_least, 4096));
              return self.room_;
            },
            .commit =
                [](void* owner, size_t used) {
                  auto& self = *static_cast<StringSink*>(owner);
                  self.text_.append(as_text(ConstBytes(self.room_).first(used)));
                },
            .owner = this};
  }
  [[nodiscard]] std::string take() { return std::exchange(text_, {}); }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::vector<std::byte> room_;
  std::string text_;
};

inline snapshot::TlsSettings five_suites() {
  return {.cipher_suites = {"ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-SHA",
                            "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA"}};
}

inline std::shared_ptr<tls::ServerContext> make_context(const snapshot::TlsSettings& settings,
                                                        const Pem& pem = rsa_2048()) {
  CHECK(tls::initialize().has_value());
  auto context = tls::ServerContext::create(server(settings, pem.certificate, pem.key));
  if (!context) throw std::runtime_error(context.error().message);
  return *context;
}

inline std::shared_ptr<tls::ServerContext> make_context(const snapshot::TlsServer& server) {
  CHECK(tls::initialize().has_value());
  auto context = tls::ServerContext::create(server);
  if (!context) throw std::runtime_error(context.error().message);
  return *context;
}

struct Connection {
  explicit Connection(const snapshot::TlsSettings& settings, const ClientOptions& options = {},
                      const Pem& pem = rsa_2048())
      : Connection(make_context(settings, pem), options) {}
  explicit Connection(std::shared_ptr<tls::ServerContext> with, const ClientOptions& options = {})
      : context(std::move(with)), session(tls::Session::accept(*context)), client(options) {}

  // Both sides until nothing moves any more; `piece`: at most that many bytes per call (0: all). Returns
  // the server's last status.
  tls::SessionStatus handshake(size_t piece = 0) {
    tls::SessionStatus status = tls::SessionStatus::need_input;
    for (int idle = 0; idle < 2;) {
      const bool client_done = client.handshake();
      from_client += client.take_output();
      if (from_client.empty()) ++idle;
      while (!from_client.empty() && !session->is_handshake_done() && status != tls::SessionStatus::failed) {
        const size_t size = piece == 0 ? from_client.size() : std::min(piece, from_client.size());
        ConstBytes input = as_bytes(std::string_view(from_client).substr(0, size));
        status = session->handshake(input, output.sink());
        from_client.erase(0, size - input.size());
        if (status == tls::SessionStatus::closed) return status;
      }
      client.feed(as_bytes(output.take()));
      if (status == tls::SessionStatus::failed) {
        (void)client.handshake();  // reads the alert,
        (void)client.read();       // also when the client of TLS 1.3 was done
        return status;
      }
      if (client_done && session->is_handshake_done()) return status;
    }
    return status;
  }

  // Everything that read() gives for what is in from_client.
  std::string read_all(size_t buffer_bytes = 16 * 1024) {
    std::string plaintext;
    std::vector<std::byte> buffer(buffer_bytes);
    ConstBytes input = as_bytes(from_client);
    for (;;) {
      const auto [status, size] = session->read(input, buffer, output.sink());
      last_status = status;
      if (status != tls::SessionStatus::ok) break;
      plaintext.append(as_text(ConstBytes(buffer).first(size)));
    }
    from_client.erase(0, from_client.size() - input.size());
    return plaintext;
  }

  std::shared_ptr<tls::ServerContext> context;
  std::unique_ptr<tls::Session> session;
  OpensslClient client;
  StringSink output;
  std::string from_client;
  tls::SessionStatus last_status = tls::SessionStatus::need_input;
};

inline std::string random_text(size_t size, uint64_t seed) {
  Random random(seed);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random.next() >> 56);
  return text;
}

}  // namespace sluice::test
