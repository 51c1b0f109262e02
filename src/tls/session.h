// One TLS connection as a pure engine: ciphertext in and out as bytes, plaintext in and out as bytes,
// no sockets (wolfSSL with custom I/O callbacks). TLS 1.2 (RFC 5246) and 1.3 (RFC 8446).
//
// The server's side is created when the ClientHello is complete (tls/client_hello.h chooses the ServerContext
// first), so a connection that never says anything costs no TLS memory. One owner, one thread.
//
// session.cc has the calls, session_handshake.cc how a handshake waits, session_callbacks.cc what wolfSSL asks in
// the middle of a call, session_records.cc the records that do not pass through wolfSSL.
//
// Every call takes the received ciphertext by reference and drops what it consumed from its front; the
// ciphertext it produces goes to `output`, which must accept it (the caller checks for room before).
#pragma once

#include "base/byte_sink.h"
#include "base/bytes.h"
#include "tls/client_context.h"
#include "tls/failure.h"
#include "tls/handshake_pool.h"
#include "tls/peer_certificate.h"
#include "tls/peer_verifier.h"
#include "tls/resumable_session.h"
#include "tls/server_context.h"

#include <memory>
#include <string>
#include <string_view>

struct WOLFSSL;
struct WC_RNG;
struct WOLFSSL_X509_STORE_CTX;

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
  // The server's side; the ClientHello decides which certificate is shown (without one: as to a client that knows
  // no ECDSA). Nullptr when there is no memory. With a pool whose queue is served, RSA signatures and shared secrets
  // are made there, and the pool must outlive the session.
  [[nodiscard]] static std::unique_ptr<Session> accept(ServerContext& context, const ClientHello& hello = {},
                                                       HandshakePool* pool = nullptr, HandshakeWaiter waiter = {});

  // The client's side; handshake() with no input begins it. `server_name` is asked for (SNI, unless it is an IP
  // address: RFC 6066 3), and is what the certificate must be for, as tls/peer_verifier.h says. Nullptr when
  // there is no memory. The pool as for accept(). `resumable`, of the same name and context, saves the server's
  // signature and certificate if the server agrees; of another one it is dropped. `offers_alpn`: what the context has.
  [[nodiscard]] static std::unique_ptr<Session> connect(ClientContext& context, std::string_view server_name,
                                                        std::unique_ptr<ResumableSession> resumable = nullptr,
                                                        HandshakePool* pool = nullptr, HandshakeWaiter waiter = {},
                                                        bool offers_alpn = true);

  // Of the client's side, after the handshake, once: null before the server has sent something to resume with (in
  // TLS 1.3 that comes with the first read() at the earliest).
  [[nodiscard]] std::unique_ptr<ResumableSession> take_resumable();
  [[nodiscard]] bool is_resumed() const noexcept;

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

  // What the other side has shown, verified; null: nothing, nothing verified, or not yet. Valid as long as the session.
  [[nodiscard]] const PeerCertificate* peer_certificate() const noexcept {
    return handshake_done_ ? peer_certificate_.get() : nullptr;
  }
  // The certificate that this side shows; null: none.
  [[nodiscard]] const LocalCertificate* local_certificate() const noexcept { return local_certificate_.get(); }

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
  friend class ClientContext;
  class Call;

  struct Handshake;

  explicit Session(Side peer);
  [[nodiscard]] bool start(WOLFSSL_CTX* context, HandshakePool* pool, HandshakeWaiter waiter);

  static void install_callbacks(WOLFSSL_CTX* context) noexcept;
  // Sessions of this context verify the other side; `is_required`: one that shows nothing is refused.
  static void ask_for_certificate(WOLFSSL_CTX* context, bool is_required) noexcept;
  static void install_ticket_callback(WOLFSSL_CTX* context) noexcept;
  [[nodiscard]] static bool install_staple_callback(WOLFSSL_CTX* context) noexcept;
  static int on_receive(WOLFSSL* ssl, char* buffer, int size, void* session);
  static int on_send(WOLFSSL* ssl, char* buffer, int size, void* session);
  static int on_client_hello(WOLFSSL* ssl, int* alert, void* unused);
  static int on_verify(int is_good, WOLFSSL_X509_STORE_CTX* store);
  static int on_staple(void* ssl, const char*, int, unsigned char*, int, unsigned char** staple);
  static int on_ticket(WOLFSSL* ssl, unsigned char* name, unsigned char* iv, unsigned char* mac, int seals,
                       unsigned char* ticket, int size, int* new_size, void* unused);

  // One record of application data, of at most 16 KiB of content. False: wolfSSL has to do it.
  [[nodiscard]] bool seal(ConstBytes content, const ByteSink& output) noexcept;
  // The content of the record at the front of `input`, which is consumed. 0: nothing is, wolfSSL has to do it.
  [[nodiscard]] size_t open(ConstBytes& input, MutableBytes plaintext) noexcept;

  [[nodiscard]] bool advance_handshake();
  void take_step();
  [[nodiscard]] bool wait_for_signature();
  void wait();
  static void on_ready(void* session);

  bool verify_peer(const WOLFSSL_X509_STORE_CTX& store);
  bool refuse_peer(const Failure& failure);
  [[nodiscard]] bool use_alpn(const std::string& name) noexcept;
  SessionStatus on_result(int result, size_t consumed);
  SessionStatus fail(int error);
  SessionStatus fail(const Failure& failure);
  void send_alert(Alert alert);

  Side peer_;  // which one the other side is
  WOLFSSL* ssl_ = nullptr;
  ConstBytes* input_ = nullptr;                   // set exactly during a call that reads
  ByteSink output_{};                             // set exactly during a call
  std::unique_ptr<Handshake> handshake_;          // until it is done
  std::shared_ptr<const PeerVerifier> verifier_;  // null: nobody is verified; of servers, until the handshake is done
  std::string server_name_;                       // of the client's side
  std::unique_ptr<PeerCertificate> peer_certificate_;  // set exactly when the peer's certificate was accepted
  std::shared_ptr<const LocalCertificate> local_certificate_;
  std::string error_text_;
  size_t silent_bytes_ = 0;  // consumed since the last plaintext
  bool handshake_done_ = false;
  bool failed_ = false;
  bool resumable_taken_ = false;
  bool refused_ = false;  // the peer's certificate was; the alert has been written and is the last that is
  bool close_sent_ = false;
  bool peer_has_closed_ = false;
};

}  // namespace sluice::tls
