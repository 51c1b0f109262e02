// A connection as plaintext: a stream, with or without TLS on top. Everything above (HTTP, tunnels)
// reads and writes here and need not know which; forward/ may go below when it is plain.
//
// Plain: readable() is the stream's own receive buffer, write() the stream's own send queue, no copies.
// TLS: records are decrypted on demand into one chunk, which is held only while it has bytes; what is
// written gathers in one chunk and is encrypted at flush(), so that a head and a small body make one
// record (full records do not gather, and are not copied); all records of a turn go out with one send.
//
// A record can be used when its last byte has come. On a connection that is new, or has been silent for so long
// that the kernel begins anew to find out what the network carries (RFC 5681 4.1), the first records are small
// (limits::tls_small_record_bytes); a stream has full ones. One owner, the thread of its loop.
#pragma once

#include "base/byte_sink.h"
#include "base/bytes.h"
#include "io/chunk.h"
#include "io/stream.h"
#include "tls/session.h"

#include <memory>
#include <string_view>

namespace sluice::transport {

class Transport {
 public:
  Transport(io::Loop& loop, io::Stream::ChangeHandler on_change, void* owner) noexcept;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  ~Transport();

  [[nodiscard]] io::Stream& stream() noexcept { return stream_; }
  [[nodiscard]] const io::Stream& stream() const noexcept { return stream_; }

  // --- TLS ---
  // From now on the stream's bytes are records of `session`.
  void start_tls(std::unique_ptr<tls::Session> session) noexcept;
  // The session's handshake, as far as the received bytes go; sends its answers. need_input: call again
  // when more arrived; waiting: when the session's waiter was told. failed: the alert is on its way,
  // session()->error_text() says why.
  [[nodiscard]] tls::SessionStatus drive_handshake();
  [[nodiscard]] tls::Session* session() const noexcept { return session_.get(); }
  [[nodiscard]] bool is_tls() const noexcept { return session_ != nullptr; }

  // --- reading plaintext ---
  // The first contiguous bytes; empty: none now. Stays valid until consume() or the next readable().
  [[nodiscard]] ConstBytes readable();
  void consume(size_t size);
  // Nothing more will come, and everything was consumed: FIN, close_notify or a failure.
  [[nodiscard]] bool is_at_end();
  // The end was not an orderly one: reset, TLS without close_notify (RFC 8446 6.1), a bad record.
  [[nodiscard]] bool is_truncated() const noexcept;
  // A record was bad, and the alert that says so was written (RFC 8446 6.2).
  [[nodiscard]] bool has_read_failed() const noexcept { return read_failed_; }

  // --- writing plaintext ---
  [[nodiscard]] size_t writable_bytes() const noexcept;
  void write(ConstBytes bytes);
  [[nodiscard]] ByteSink sink() noexcept;
  void flush();
  // close_notify and FIN after everything written.
  void finish_writing();
  [[nodiscard]] bool has_sent_all() const noexcept { return gathered_ == nullptr && stream_.has_sent_all(); }
  // The peer takes no more: what was unsent is lost.
  [[nodiscard]] bool has_send_failed() const noexcept { return stream_.send_error() != 0 || write_failed_; }

 private:
  MutableBytes reserve(size_t at_least);
  void commit(size_t used);
  ConstBytes encrypt_record(ConstBytes plaintext);
  void encrypt_gathered();
  // What the next record takes of that many bytes.
  [[nodiscard]] size_t next_record_bytes(size_t at_hand) noexcept;
  void fill_decrypted();
  void release(io::Chunk*& chunk) noexcept;

  io::Stream stream_;
  std::unique_ptr<tls::Session> session_;
  io::Chunk* decrypted_ = nullptr;  // exactly while it holds plaintext that was not consumed
  io::Chunk* gathered_ = nullptr;   // exactly while it holds plaintext that was not encrypted
  uint32_t last_record_ms_ = 0;  // when it was written; wraps after 49 days, and then nothing worse than a full record
  uint8_t small_records_left_ = limits::tls_small_records;
  bool read_closed_ = false;   // close_notify was received
  bool read_failed_ = false;   // a record was bad
  bool write_failed_ = false;  // the session cannot encrypt any more
};

}  // namespace sluice::transport
