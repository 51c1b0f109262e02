#include "tls/trust_store.h"

#include "tls/decoded_certificate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <string>

namespace sluice::tls {
namespace {

namespace fs = std::filesystem;

// Debian and Ubuntu; Fedora and its relatives; Alpine.
constexpr std::array kSystemBundles{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                    "/etc/ssl/cert.pem"};

std::string_view subject_text(const TrustStore::Certificate& certificate) noexcept {
  return as_text(certificate.subject);
}

// A system's bundle may hold what wolfSSL does not understand: that certificate is just not trusted.
Result<std::shared_ptr<const TrustStore>> read_store(std::string_view pem, bool skips_unknown) {
  Result<std::vector<Der>> blocks = decode_pem(pem, kCertificateLabel);
  if (!blocks) return std::unexpected(blocks.error());
  std::vector<TrustStore::Certificate> certificates;
  size_t number = 0;
  for (Der& der : *blocks) {
    ++number;
    const auto decoded = decode_certificate(der);
    if (decoded) {
      // The views stay valid: moving a vector does not move its content.
      const ConstBytes subject = decoded->subject;
      certificates.push_back({.der = std::move(der), .subject = subject});
    } else if (!skips_unknown) {
      return failure(fmt::format("holds a CA certificate that cannot be used (number {}): {}", number,
                                 wc_GetErrorString(decoded.error())));
    }
  }
  if (certificates.empty()) return failure("holds no CA certificate that can be used");
  return std::make_shared<const TrustStore>(std::move(certificates));
}

struct SystemStore {
  std::mutex mutex;
  std::weak_ptr<const TrustStore> store;
  fs::file_time_type modified;
};

}  // namespace

TrustStore::TrustStore(std::vector<Certificate> certificates) : certificates_(std::move(certificates)) {
  std::ranges::sort(certificates_, {}, subject_text);
}

Result<std::shared_ptr<const TrustStore>> TrustStore::from_pem(std::string_view pem) { return read_store(pem, false); }

Result<std::shared_ptr<const TrustStore>> TrustStore::of_system() {
  static SystemStore cached;
  const std::lock_guard lock(cached.mutex);
  for (const char* path : kSystemBundles) {
    std::error_code error;
    const fs::file_time_type modified = fs::last_write_time(path, error);
    if (error) continue;
    if (auto store = cached.store.lock(); store != nullptr && cached.modified == modified) return store;
    std::ifstream file(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    if (!file && text.empty()) continue;
    Result<std::shared_ptr<const TrustStore>> store = read_store(text, true);
    if (!store) return failure(fmt::format("the system's trust store {} {}", path, store.error().message));
    cached.store = *store;
    cached.modified = modified;
    return store;
  }
  return failure(
      fmt::format("there is no trust store of the system ({}): install the package ca-certificates, or name "
                  "the CA certificates in the configuration",
                  fmt::join(kSystemBundles, ", ")));
}

std::span<const TrustStore::Certificate> TrustStore::with_subject(ConstBytes subject) const noexcept {
  const auto range = std::ranges::equal_range(certificates_, as_text(subject), {}, subject_text);
  return {range.begin(), range.end()};
}

bool TrustStore::contains(ConstBytes der) const noexcept {
  return std::ranges::any_of(certificates_,
                             [&](const Certificate& certificate) { return std::ranges::equal(certificate.der, der); });
}

}  // namespace sluice::tls
