// One TLS connection as a pure engine: ciphertext in and out as bytes, plaintext in and out as bytes,
// no sockets (wolfSSL with custom I/O callbacks). TLS 1.2 (RFC 5246) and 1.3 (RFC 8446).
//
// Created when the ClientHello is complete (tls/client_hello.h chooses the ServerContext first), so a
// connection that never says anything costs no TLS memory. One owner, one thread.
//
// Every call takes the received ciphertext by reference and drops what it consumed from its front; the
// ciphertext it produces goes to `output`, which must accept it (the caller checks for room before).
#pragma once

#include "base/byte_sink.h"
#include "base/bytes.h"
#include "tls/failure.h"
#include "tls/server_context.h"

#include <memory>
#include <string_view>

struct WOLFSSL;

namespace sluice::tls {

enum class SessionStatus : uint8_t {
  ok,          // progress was made; read(): bytes were delivered
  need_input,  // nothing more to do until more ciphertext arrives
  closed,      // the peer sent close_notify: no more plaintext will come
  failed,      // an alert has been written to the output; error_text() says why; the session is dead
};

class Session {
 public:
  // Nullptr when there is no memory.
  [[nodiscard]] static std::unique_ptr<Session> accept(ServerContext& context);

  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  // Drives the handshake. `ok` exactly once, when it is complete; need_input until then; closed
  // when the client gave up politely. Input that follows the handshake is left.
  [[nodiscard]] SessionStatus handshake(ConstBytes& input, ByteSink output);
  [[nodiscard]] bool is_handshake_done() const noexcept { return handshake_done_; }

  struct ReadResult {
    SessionStatus status;
    size_t size = 0;  // status ok: bytes written to the front of `plaintext`, > 0
  };
  // Decrypts at most one record's content into `plaintext`. Post-handshake messages are handled on the
  // way (their answers go to `output`). need_input only after all of `input` was consumed and nothing
  // decrypted is pending.
  [[nodiscard]] ReadResult read(ConstBytes& input, MutableBytes plaintext, ByteSink output);

  // Plaintext that read() would deliver without further input.
  [[nodiscard]] size_t pending_bytes() const noexcept;

  // Encrypts all of `plaintext` into records of at most 16 KiB. False: the session is dead.
  [[nodiscard]] bool write(ConstBytes plaintext, ByteSink output);
  // The bytes that write() adds to `size` bytes of plaintext, at most.
  [[nodiscard]] static constexpr size_t overhead_bytes_max(size_t size) noexcept {
    return (size / (16 * 1024) + 1) * 128;
  }

  // Writes close_notify (once; later calls do nothing).
  void close(ByteSink output);

  // After the handshake, otherwise empty; static or session-owned texts, valid as long as the session.
  [[nodiscard]] std::string_view protocol_version() const noexcept;  // "TLSv1.3"
  [[nodiscard]] std::string_view cipher_suite() const noexcept;      // OpenSSL's name
  [[nodiscard]] std::string_view alpn_protocol() const noexcept;     // "http/1.1"; empty: none chosen
  [[nodiscard]] bool is_resumed() const noexcept { return resumed_; }

  [[nodiscard]] std::string_view error_text() const noexcept { return error_text_; }

 private:
  friend class ServerContext;
  class Call;

  explicit Session(ServerContext& context) noexcept : alpn_names_(context.alpn_), parts_(context.handshake_) {}

  static void install_callbacks(WOLFSSL_CTX* context) noexcept;
  static void install_ticket_callback(WOLFSSL_CTX* context) noexcept;
  [[nodiscard]] static bool install_staple_callback(WOLFSSL_CTX* context) noexcept;
  static int on_receive(WOLFSSL* ssl, char* buffer, int size, void* session);
  static int on_send(WOLFSSL* ssl, char* buffer, int size, void* session);
  static int on_client_hello(WOLFSSL* ssl, int* alert, void* unused);
  static int on_staple(void* ssl, const char*, int, unsigned char*, int, unsigned char** staple);
  static int on_ticket(WOLFSSL* ssl, unsigned char* name, unsigned char* iv, unsigned char* mac, int seals,
                       unsigned char* ticket, int size, int* new_size, void* unused);

  SessionStatus on_result(int result, size_t consumed);
  SessionStatus fail(int error);
  SessionStatus fail(const Failure& failure);

  WOLFSSL* ssl_ = nullptr;
  ConstBytes* input_ = nullptr;                                 // set exactly during a call that reads
  ByteSink output_{};                                           // set exactly during a call
  std::shared_ptr<const ServerContext::AlpnNames> alpn_names_;  // until the protocol is chosen
  std::shared_ptr<const ServerContext::Handshake> parts_;       // until the handshake is done
  WallTime authenticated_at_{};                                 // of the client's ticket, exactly when one was opened
  std::string_view error_text_;
  size_t silent_bytes_ = 0;  // consumed since the last plaintext
  bool handshake_done_ = false;
  bool resumed_ = false;
  bool failed_ = false;
  bool close_sent_ = false;
};

}  // namespace sluice::tls
