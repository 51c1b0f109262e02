#include "renewal/challenge_board.h"

#include <utility>

namespace sluice::renewal {

// What a snapshot has is not changed: the next one gets a copy.
template <typename Change>
void ChallengeBoard::change(Change change) {
  const std::lock_guard lock(mutex_);
  auto next = challenges_ == nullptr ? std::make_shared<snapshot::AcmeChallenges>()
                                     : std::make_shared<snapshot::AcmeChallenges>(*challenges_);
  change(*next);
  challenges_ = next->empty() ? nullptr : std::move(next);
  ++revision_;
}

void ChallengeBoard::put_http(std::string token, std::string key_authorization) {
  change([&](snapshot::AcmeChallenges& all) {
    all.key_authorizations.insert_or_assign(std::move(token), std::move(key_authorization));
  });
}

void ChallengeBoard::put_certificate(std::string server_name, std::shared_ptr<tls::ServerContext> context) {
  change([&](snapshot::AcmeChallenges& all) {
    all.certificates.insert_or_assign(std::move(server_name), std::move(context));
  });
}

void ChallengeBoard::remove_http(const std::string& token) {
  change([&](snapshot::AcmeChallenges& all) { all.key_authorizations.erase(token); });
}

void ChallengeBoard::remove_certificate(const std::string& server_name) {
  change([&](snapshot::AcmeChallenges& all) { all.certificates.erase(server_name); });
}

ChallengeBoard::Posted ChallengeBoard::posted() const {
  const std::lock_guard lock(mutex_);
  return {challenges_, revision_};
}

}  // namespace sluice::renewal
