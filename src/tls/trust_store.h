// The CA certificates that one side of TLS trusts: from a Secret or file of the configuration, or the
// operating system's. Immutable; shared by contexts and read by every shard.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "tls/pem.h"

#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace sluice::tls {

class TrustStore {
 public:
  struct Certificate {
    Der der;
    ConstBytes subject;  // content of the Name, in `der`
  };

  // Fails when there is none, or one that cannot be parsed. "holds no ...": the caller names the text.
  [[nodiscard]] static Result<std::shared_ptr<const TrustStore>> from_pem(std::string_view pem);

  // The bundle of the distribution (package ca-certificates). Read again when the file has changed, otherwise
  // shared by all who ask. Any thread.
  [[nodiscard]] static Result<std::shared_ptr<const TrustStore>> of_system();

  // Those with that subject: several when a CA has changed its key. Names are compared byte by byte.
  [[nodiscard]] std::span<const Certificate> with_subject(ConstBytes subject) const noexcept;
  [[nodiscard]] bool contains(ConstBytes der) const noexcept;
  [[nodiscard]] size_t count() const noexcept { return certificates_.size(); }

  explicit TrustStore(std::vector<Certificate> certificates);

 private:
  std::vector<Certificate> certificates_;  // sorted by subject
};

}  // namespace sluice::tls
