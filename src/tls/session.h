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
#include "tls/handshake_pool.h"
#include "tls/server_context.h"

#include <memory>
#include <string_view>

struct WOLFSSL;
struct WC_RNG;

namespace sluice::tls {

enum class SessionStatus : uint8_t {
  ok,          // progress was made; read(): bytes were delivered
  need_input,  // nothing more to do until more ciphertext arrives
  waiting,     // handshake(): for a signature or a shared secret; the waiter is told when it is there
  closed,      // the peer sent close_notify: no more plaintext will come
  failed,      // an alert has been written to the output; error_text() says why; the session is dead
};

class Session {
 public:
  // Nullptr when there is no memory. With a pool whose queue is served, RSA signatures and shared secrets are
  // made there, and the pool must outlive the session.
  [[nodiscard]] static std::unique_ptr<Session> accept(ServerContext& context, HandshakePool* pool = nullptr,
                                                       HandshakeWaiter waiter = {});

  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  // Drives the handshake. `ok` exactly once, when it is complete; need_input or waiting until then; closed
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

  [[nodiscard]] std::string_view error_text() const noexcept { return error_text_; }

  // --- for crypto_device, from inside a call ---
  // The session that this thread is in a call of; null: none.
  [[nodiscard]] static Session* running() noexcept;
  // The private RSA operation on a padded block of key.size_bytes(). May stop the handshake's fiber until the signing
  // thread has done it. False: the key is unfit, or the session is being destroyed.
  [[nodiscard]] bool sign_block(const PrivateKey& key, const std::byte* block, std::byte* signature, WC_RNG* random);
  // X25519's shared secret, as sign_block(). False: the TLS library is to do it.
  [[nodiscard]] bool agree(const std::byte* private_key, const std::byte* peer_key, std::byte* secret);
  // The public operation.
  [[nodiscard]] bool open_block(const PrivateKey& key, const std::byte* signature, std::byte* block);

 private:
  friend class ServerContext;
  class Call;

  struct Handshake;

  Session();

  static void install_callbacks(WOLFSSL_CTX* context) noexcept;
  static int on_receive(WOLFSSL* ssl, char* buffer, int size, void* session);
  static int on_send(WOLFSSL* ssl, char* buffer, int size, void* session);
  static int on_client_hello(WOLFSSL* ssl, int* alert, void* unused);

  [[nodiscard]] bool advance_handshake();
  [[nodiscard]] bool wait_for_signature();
  static void run_step(void* session);
  void wait();
  static void on_ready(void* session);

  SessionStatus on_result(int result, size_t consumed);
  SessionStatus fail(int error);
  SessionStatus fail(const Failure& failure);

  WOLFSSL* ssl_ = nullptr;
  ConstBytes* input_ = nullptr;           // set exactly during a call that reads
  ByteSink output_{};                     // set exactly during a call
  std::unique_ptr<Handshake> handshake_;  // until it is done
  std::string_view error_text_;
  size_t silent_bytes_ = 0;  // consumed since the last plaintext
  bool handshake_done_ = false;
  bool failed_ = false;
  bool close_sent_ = false;
};

}  // namespace sluice::tls
