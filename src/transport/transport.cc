#include "transport/transport.h"

#include "base/check.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace sluice::transport {

using tls::SessionStatus;

Transport::Transport(io::Loop& loop, io::Stream::ChangeHandler on_change, void* owner) noexcept
    : stream_(loop, on_change, owner) {}

Transport::~Transport() {
  release(decrypted_);
  release(gathered_);
}

void Transport::release(io::Chunk*& chunk) noexcept {
  if (chunk != nullptr) stream_.loop().chunks().give(*std::exchange(chunk, nullptr));
}

// --- TLS -------------------------------------------------------------------------------------------

void Transport::start_tls(std::unique_ptr<tls::Session> session) noexcept { session_ = std::move(session); }

SessionStatus Transport::drive_handshake() {
  SessionStatus status;
  do {
    ConstBytes input = stream_.received();
    const size_t offered = input.size();
    status = session_->handshake(input, stream_.sink());
    stream_.consume(offered - input.size());
  } while (status == SessionStatus::need_input && !stream_.received().empty());
  // What comes before a signature goes with it: one send.
  if (status != SessionStatus::waiting) stream_.flush();
  return status;
}

// --- reading ---------------------------------------------------------------------------------------

ConstBytes Transport::readable() {
  if (session_ == nullptr) return stream_.received();
  if (decrypted_ == nullptr) fill_decrypted();
  if (decrypted_ == nullptr) return {};
  return {decrypted_->bytes() + decrypted_->begin, decrypted_->end - decrypted_->begin};
}

void Transport::fill_decrypted() {
  if (read_closed_ || read_failed_ || (stream_.received().empty() && session_->pending_bytes() == 0)) return;
  // Reading may write (answers to key updates): a peer that takes nothing is not read.
  if (stream_.unsent_bytes() > limits::tls_unsent_bytes_max) return;
  io::Chunk& chunk = stream_.loop().chunks().take(limits::chunk_bytes);
  for (;;) {
    ConstBytes input = stream_.received();
    const size_t offered = input.size();
    const MutableBytes room{chunk.bytes() + chunk.end, chunk.capacity - chunk.end};
    const auto [status, size] = session_->read(input, room, stream_.sink());
    stream_.consume(offered - input.size());
    chunk.end += static_cast<uint32_t>(size);
    read_closed_ = status == SessionStatus::closed;
    read_failed_ = status == SessionStatus::failed;
    if (read_closed_ || read_failed_) break;
    if (status == SessionStatus::need_input && stream_.received().empty()) break;
    // A record that there is no room for would be kept by the session, with a copy of its own.
    const size_t next_bytes = std::min(stream_.received().size(), limits::tls_plaintext_bytes + 1);
    if (chunk.end > 0 && chunk.capacity - chunk.end < next_bytes) break;
    if (chunk.end == chunk.capacity) break;
  }
  stream_.flush();  // alerts and answers to post-handshake messages
  if (chunk.end == 0) {
    stream_.loop().chunks().give(chunk);
  } else {
    decrypted_ = &chunk;
  }
}

void Transport::consume(size_t size) {
  if (session_ == nullptr) {
    stream_.consume(size);
    return;
  }
  DCHECK(size == 0 || (decrypted_ != nullptr && size <= decrypted_->end - decrypted_->begin));
  if (size == 0) return;
  decrypted_->begin += static_cast<uint32_t>(size);
  if (decrypted_->begin == decrypted_->end) release(decrypted_);
}

bool Transport::is_at_end() {
  if (session_ == nullptr) return stream_.is_at_end();
  if (!readable().empty()) return false;
  // Nothing readable is not all: a peer that takes nothing is not read (fill_decrypted).
  return read_closed_ || read_failed_ || (stream_.is_at_end() && session_->pending_bytes() == 0);
}

bool Transport::is_truncated() const noexcept {
  if (stream_.receive_error() != 0) return true;
  return session_ != nullptr && !read_closed_;
}

// --- writing ---------------------------------------------------------------------------------------

size_t Transport::writable_bytes() const noexcept {
  const size_t writable = stream_.writable_bytes();
  const size_t gathered = gathered_ == nullptr ? 0 : gathered_->end;
  return writable - std::min(writable, gathered);
}

// Room in the gathering chunk, which ends at one record's worth of plaintext; more is asked for only
// by a large head, which then has a chunk of its own and is cut into records by the session.
MutableBytes Transport::reserve(size_t at_least) {
  if (session_ == nullptr) return stream_.sink().reserve(&stream_, at_least);
  if (gathered_ != nullptr && gathered_->end + at_least > limits::tls_plaintext_bytes) encrypt_gathered();
  if (gathered_ == nullptr) gathered_ = &stream_.loop().chunks().take(at_least);
  const size_t end = std::max<size_t>(limits::tls_plaintext_bytes, gathered_->end + at_least);
  return {gathered_->bytes() + gathered_->end, end - gathered_->end};
}

void Transport::commit(size_t used) {
  if (session_ == nullptr) {
    stream_.sink().commit(&stream_, used);
  } else {
    gathered_->end += static_cast<uint32_t>(used);
    if (gathered_->end == 0) release(gathered_);
  }
}

ByteSink Transport::sink() noexcept {
  return {.reserve = [](void* self, size_t at_least) { return static_cast<Transport*>(self)->reserve(at_least); },
          .commit = [](void* self, size_t used) { static_cast<Transport*>(self)->commit(used); },
          .owner = this};
}

void Transport::write(ConstBytes bytes) {
  if (session_ == nullptr) {
    stream_.write(bytes);
    return;
  }
  // Full records are made from where their content is.
  while (bytes.size() >= limits::tls_plaintext_bytes) {
    if (gathered_ != nullptr) encrypt_gathered();
    bytes = encrypt_record(bytes);
  }
  sink().append(bytes);
}

// Records that are not full do not count: what is written in such pieces does not make the window grow either.
size_t Transport::next_record_bytes(size_t at_hand) noexcept {
  const auto now_ms = static_cast<uint32_t>(to_milliseconds(stream_.loop().now().time_since_epoch()));
  if (now_ms - std::exchange(last_record_ms_, now_ms) > to_milliseconds(limits::tls_small_records_after))
    small_records_left_ = limits::tls_small_records;
  if (small_records_left_ == 0) return std::min(at_hand, limits::tls_plaintext_bytes);
  if (at_hand < limits::tls_small_record_bytes) return at_hand;
  --small_records_left_;
  return limits::tls_small_record_bytes;
}

// One record; what is left of `plaintext` after it.
ConstBytes Transport::encrypt_record(ConstBytes plaintext) {
  if (write_failed_) return {};
  const size_t size = next_record_bytes(plaintext.size());
  write_failed_ = !session_->write(plaintext.first(size), stream_.sink());
  return plaintext.subspan(size);
}

void Transport::encrypt_gathered() {
  for (ConstBytes left{gathered_->bytes(), gathered_->end}; !left.empty();) left = encrypt_record(left);
  release(gathered_);
}

void Transport::flush() {
  if (gathered_ != nullptr) encrypt_gathered();
  stream_.flush();
}

void Transport::finish_writing() {
  if (gathered_ != nullptr) encrypt_gathered();
  if (session_ != nullptr && !write_failed_) session_->close(stream_.sink());
  stream_.finish_writing();
}

}  // namespace sluice::transport
