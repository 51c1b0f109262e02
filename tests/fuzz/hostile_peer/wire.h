// What went over the wire towards the session under test, as a receiver with the keys understands it: what a
// finished handshake may rest on, and which plaintext may be delivered, follows from this alone.
#pragma once

#include "record_protection.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::fuzz {

// Which keys protect a record. In TLS 1.2 there is only one epoch after the plain one.
using Epoch = unsigned;
inline constexpr Epoch kPlain = 0;
inline constexpr Epoch kHandshake = 1;
inline constexpr Epoch kApplication = 2;  // in TLS 1.3; one more with each KeyUpdate

struct ArrivedRecord {
  size_t end = 0;  // its place: bytes from the beginning of the connection
  Epoch epoch = kPlain;
  Content content;
};

class Wire {
 public:
  // Anything. What looks like a record is one that is not protected.
  void add(std::string_view bytes) { bytes_ += bytes; }
  // A record that was made with the keys of its epoch.
  void add_protected(std::string_view record, Epoch epoch, Content content);

  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  // The whole records among the first `size` bytes.
  [[nodiscard]] std::vector<ArrivedRecord> records(size_t size) const;

 private:
  std::string bytes_;
  std::map<size_t, ArrivedRecord> protected_;  // by where they begin
};

// The content of handshake records, joined: messages, whatever records they were cut into.
class HandshakeStream {
 public:
  void add(Epoch epoch, std::string_view content);

  // The same messages under the same keys, up to and with Finished. HelloRequests are no part of a handshake
  // (RFC 5246 7.4.1.1): those in the other one do not count. False as long as this one has no Finished.
  [[nodiscard]] bool agrees_until_finished(const HandshakeStream& other) const;

 private:
  struct Message {
    std::string bytes;
    std::string epochs;  // of each byte

    friend bool operator==(const Message&, const Message&) = default;
  };
  // Until Finished, or the whole ones until the end. A Finished that nobody can read is the first of its epoch.
  [[nodiscard]] std::vector<Message> messages() const;

  std::string bytes_;
  std::string epochs_;
};

}  // namespace sluice::fuzz
