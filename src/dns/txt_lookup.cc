#include "dns/txt_lookup.h"

#include "base/limits.h"
#include "dns/channel.h"
#include "dns/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace sluice::dns {

namespace {

constexpr Duration kLookAround = std::chrono::milliseconds(50);

struct Raw {
  bool is_done = false;
  int status = ARES_ETIMEOUT;
  std::string bytes;
};

// An answer may say that there is nothing: that is one too, and may have a CNAME record.
bool is_answer(int status) { return status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND; }

Result<TxtAnswer> read_answer(ConstBytes bytes, std::string name) {
  const Result<Message> message = read_message(bytes);
  if (!message) return failure("the answer is no DNS message: " + message.error().message);
  // Each alias leads on at most once: no loop.
  for (size_t i = 0; i < message->answers.size(); ++i) {
    const auto alias = std::ranges::find_if(message->answers, [&name](const Record& record) {
      return record.type == kTypeCname && record.record_class == kClassIn && record.name == name;
    });
    if (alias == message->answers.end() || i == limits::dns_name_jumps_max) break;
    size_t at = alias->data_begin;
    Result<std::string> target = read_name(bytes, at, alias->data_begin + alias->data_size);
    if (!target) return failure("the answer has a wrong CNAME record: " + target.error().message);
    name = std::move(*target);
  }
  TxtAnswer answer;
  answer.name = name_text(name);
  for (const Record& record : message->answers) {
    if (record.type != kTypeTxt || record.record_class != kClassIn || record.name != name) continue;
    Result<std::string> text = read_txt(bytes, record);
    if (!text) return failure("the answer has a wrong TXT record: " + text.error().message);
    answer.texts.push_back(std::move(*text));
  }
  return answer;
}

// "192.0.2.1:53,[2001:db8::1]:53"
Result<std::string> address_list(std::span<const Nameserver> servers, const std::stop_token& stop) {
  std::string list;
  Status failed;
  for (const Nameserver& server : servers) {
    const Result<std::vector<SocketAddress>> found = addresses_of(server, limits::dns_exchange_time_max, stop);
    if (!found) {
      failed = std::unexpected(found.error());
      continue;
    }
    for (const SocketAddress& address : *found) list += (list.empty() ? "" : ",") + address.to_string();
  }
  if (list.empty() && !failed) return std::unexpected(std::move(failed.error()));
  return list;
}

Result<TxtAnswer> run(std::string_view fqdn, std::span<const Nameserver> servers, const std::stop_token& stop) {
  Result<std::string> name = to_wire_name(fqdn);
  if (!name) return std::unexpected(std::move(name.error()));
  const Result<std::string> addresses = address_list(servers, stop);
  if (!addresses) return std::unexpected(addresses.error());

  Raw raw;
  Channel channel(*addresses);  // behind `raw`: it calls back when it ends
  if (channel.error() != ARES_SUCCESS) return failure(ares_strerror(channel.error()));
  ares_query(
      channel.get(), std::string(fqdn).c_str(), kClassIn, kTypeTxt,
      [](void* owner, int status, int /*timeouts*/, unsigned char* bytes, int size) {
        auto& result = *static_cast<Raw*>(owner);
        result.is_done = true;
        result.status = status;
        if (bytes != nullptr) result.bytes.assign(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
      },
      &raw);
  const io::Deadline deadline = io::deadline_in(limits::dns_txt_lookup_time_max);
  while (!raw.is_done && std::chrono::steady_clock::now() < deadline && !stop.stop_requested()) {
    channel.process(std::min(deadline, io::deadline_in(kLookAround)));
  }
  if (!raw.is_done) {
    if (stop.stop_requested()) return failure("it was given up, since the process ends");
    return failure("no server answered in time");
  }
  if (!is_answer(raw.status) || raw.bytes.empty()) return failure(ares_strerror(raw.status));
  return read_answer(as_bytes(raw.bytes), std::move(*name));
}

}  // namespace

Result<TxtAnswer> look_up_txt(std::string_view fqdn, std::span<const Nameserver> servers, const std::stop_token& stop) {
  Result<TxtAnswer> answer = run(fqdn, servers, stop);
  if (answer) return answer;
  std::string places;
  for (const Nameserver& server : servers) places += (places.empty() ? "" : ", ") + to_text(server);
  return failure(
      fmt::format("cannot look up the TXT records of {} at {}: {}; the name servers must be reachable from "
                  "here, and answer for this name",
                  fqdn, places.empty() ? "the system's name servers" : places, answer.error().message));
}

}  // namespace sluice::dns
