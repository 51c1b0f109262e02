// The protection of TLS records in one direction and of one epoch, from its secret, for whoever plays a peer that
// has the keys and does not behave: TLS 1.2 with AEAD suites (RFC 5246 6.2.3.3, RFC 5288, RFC 7905) and TLS 1.3
// (RFC 8446 5.2, 7.1 to 7.3).
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::fuzz {

inline constexpr size_t kRecordHeaderBytes = 5;

struct Content {
  uint8_t type = 0;
  std::string bytes;
};

// A record that is not protected.
[[nodiscard]] std::string plain_record(uint8_t type, uint16_t version, std::string_view content);

class RecordProtection {
 public:
  [[nodiscard]] static RecordProtection tls_1_3(const SSL_CIPHER* suite, std::string secret);
  // Of the client's or the server's records. Nothing for suites that are no AEAD.
  [[nodiscard]] static std::optional<RecordProtection> tls_1_2(const SSL_CIPHER* suite, std::string_view master_secret,
                                                               std::string_view client_random,
                                                               std::string_view server_random, bool is_client);

  // Of a whole record; nothing, and nothing counted, when it is not genuine.
  [[nodiscard]] std::optional<Content> open(std::string_view record);
  // `padding`: zeros behind the content, in TLS 1.3.
  [[nodiscard]] std::string seal(const Content& content, size_t padding = 0);

  // After a KeyUpdate (RFC 8446 7.2).
  [[nodiscard]] RecordProtection next() const;

 private:
  RecordProtection(const SSL_CIPHER* suite, bool is_tls_1_3);

  [[nodiscard]] std::string nonce(std::string_view explicit_part) const;
  [[nodiscard]] std::string associated(uint8_t type, size_t size) const;

  const SSL_CIPHER* suite_;
  const EVP_CIPHER* cipher_;
  bool is_tls_1_3_;
  bool has_explicit_nonce_;
  std::string secret_;  // TLS 1.3
  std::string key_;
  std::string iv_;
  uint64_t sequence_ = 0;
};

}  // namespace sluice::fuzz
