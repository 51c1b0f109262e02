// Any bytes as the answers of an ACME server, from its directory to a certificate. An answer is a line with the status,
// lines with fields, an empty line and a body; 0x1e stands between two. Besides not crashing, what comes out must be
// what the interfaces promise: usable URLs, tokens that can be part of a path, printable messages, bounded lists.
#include "acme/account.h"
#include "acme/authorization.h"
#include "acme/order.h"
#include "acme/renewal_info.h"
#include "base/check.h"
#include "base/limits.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <string>

using namespace sluice;

namespace {

constexpr char kBetweenAnswers = 0x1e;
const std::vector<acme::Identifier> kNames = {{acme::Identifier::Type::dns, "*.example.org"},
                                              {acme::Identifier::Type::dns, "example.org"}};

std::string_view take_until(std::string_view& text, char end) {
  const size_t at = text.find(end);
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return taken;
}

acme::HttpResponse read_answer(std::string_view text) {
  acme::HttpResponse response;
  const std::string_view status = take_until(text, '\n');
  (void)std::from_chars(status.data(), status.data() + status.size(), response.status);
  for (std::string_view line = take_until(text, '\n'); !line.empty(); line = take_until(text, '\n')) {
    const std::string_view name = take_until(line, ':');
    response.fields.push_back({std::string(name), std::string(line)});
  }
  response.body = text;
  return response;
}

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

void check_failure(const acme::Failure& failure) {
  CHECK(!failure.message.empty() && is_printable(failure.message));
  CHECK(failure.message.size() < limits::acme_url_bytes_max + 4 * limits::acme_problem_bytes_max);
  if (failure.retry_after)
    CHECK(*failure.retry_after >= Duration::zero() && *failure.retry_after <= limits::acme_retry_after_max);
}

void check_url(const std::string& url) {
  CHECK(url.starts_with("https://") && is_printable(url) && url.size() <= limits::acme_url_bytes_max);
}

template <typename T>
bool is_there(const acme::Answer<T>& answer) {
  if (!answer) check_failure(answer.error());
  return answer.has_value();
}

void check_order(const acme::Order& order) {
  using enum acme::OrderStatus;
  CHECK(order.authorizations.size() <= limits::acme_authorizations_max);
  for (const std::string& url : order.authorizations) check_url(url);
  if (order.status == pending || order.status == ready) check_url(order.finalize);
  if (order.status == valid) check_url(order.certificate);
  CHECK(order.failure.has_value() == (order.status == invalid));
  if (order.failure) check_failure(*order.failure);
}

void check_authorization(const acme::Authorization& authorization) {
  CHECK(std::ranges::find(kNames, authorization.identifier) != kNames.end());
  CHECK(authorization.challenges.size() <= limits::acme_challenges_max);
  for (const acme::Challenge& challenge : authorization.challenges) {
    check_url(challenge.url);
    CHECK(!challenge.token.empty() && challenge.token.find_first_of("/.%\\ \r\n") == std::string::npos);
  }
  if (authorization.failure) check_failure(*authorization.failure);
}

const acme::Account& account() {
  static const acme::Account made{std::make_shared<const acme::AccountKey>(*acme::AccountKey::make()),
                                  "https://a.test/account/1"};
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const auto transport = [&rest](const acme::HttpRequest& request) -> acme::Answer<acme::HttpResponse> {
    check_url(request.url);
    if (rest.empty()) return acme::fail(acme::FailureKind::passing, "there are no more answers");
    return read_answer(take_until(rest, kBetweenAnswers));
  };
  acme::Client client(transport, "https://a.test/directory");
  (void)is_there(client.directory());
  if (const auto url = acme::register_account(client, *account().key, {}); is_there(url)) check_url(*url);
  const auto order = acme::new_order(client, account(), {.identifiers = kNames, .replaces = "a.b"});
  if (is_there(order)) check_order(*order);
  const auto authorization = acme::fetch_authorization(client, account(), "https://a.test/authorization/1", kNames);
  if (is_there(authorization)) check_authorization(*authorization);
  const auto again = acme::fetch_order(client, account(), "https://a.test/order/1", kNames);
  if (is_there(again)) check_order(*again);
  const auto pem = acme::fetch_certificate(client, account(), "https://a.test/certificate/1",
                                           [](const std::string& chain_pem) { return chain_pem.contains("Root"); });
  if (is_there(pem)) CHECK(pem->contains("-----BEGIN CERTIFICATE-----"));
  if (const auto info = acme::fetch_renewal_info(client, "a.b"); is_there(info) && *info) {
    CHECK((*info)->start <= (*info)->end);
    CHECK((*info)->ask_again >= limits::acme_window_interval_min &&
          (*info)->ask_again <= limits::acme_window_interval_max);
  }
  return 0;
}
