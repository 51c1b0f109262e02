#include "tls/ticket_binding.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/wolfcrypt/hash.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::tls {

namespace {

// Every field with its length, and every list with its count: no two inputs look alike.
class Fields {
 public:
  void add(uint64_t number) {
    for (int shift = 56; shift >= 0; shift -= 8) text_ += static_cast<char>(number >> shift);
  }
  void add(std::string_view text) {
    add(text.size());
    text_ += text;
  }
  void add(const std::vector<std::string>& list) {
    add(list.size());
    for (const std::string& text : list) add(std::string_view(text));
  }
  void add(const std::vector<std::array<uint8_t, 32>>& list) {
    add(list.size());
    for (const auto& hash : list) text_.append(hash.begin(), hash.end());
  }

  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

}  // namespace

Result<TicketBinding> ticket_binding(const snapshot::TlsServer& server) {
  const snapshot::TlsSettings& settings = server.settings;
  Fields fields;
  fields.add(std::string_view("sluice session ticket 1"));
  fields.add(static_cast<uint64_t>(settings.client_certificates));
  if (settings.client_verification) {
    const snapshot::PeerVerification& verification = *settings.client_verification;
    fields.add(std::string_view(verification.ca_pem));
    fields.add(std::string_view(verification.crl_pem));
    fields.add(verification.subject_alt_names);
    fields.add(verification.public_key_hashes);
    fields.add(verification.certificate_hashes);
  }
  fields.add(static_cast<uint64_t>(settings.min_version));
  fields.add(static_cast<uint64_t>(settings.max_version));
  fields.add(settings.cipher_suites);
  std::vector<std::string> names;
  for (const auto& pair : server.key_pairs) names.push_back(pair->secret_name);
  std::ranges::sort(names);  // one that has come later stands last
  fields.add(names);

  TicketBinding binding{};
  if (wc_Sha256Hash(reinterpret_cast<const byte*>(fields.text().data()), static_cast<word32>(fields.text().size()),
                    binding.data()) != 0) {
    return failure("binding session tickets to the server: SHA-256 failed");
  }
  return binding;
}

}  // namespace sluice::tls
