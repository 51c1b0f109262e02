#include "dns/update.h"

#include "base/limits.h"
#include "io/blocking_socket.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace sluice::dns {

namespace {

struct Answer {
  std::string bytes;
  Message message;
};

bool is_at(const Record& record, std::string_view name, Type type) {
  return record.type == type && record.record_class == kClassIn && record.name == name;
}

// What an answer says that is no success, and what to do about it.
std::string rcode_advice(uint16_t rcode, const TsigKey& key, std::string_view zone) {
  const std::string key_name = name_text(key.name);
  switch (rcode) {
    case kRefused:
      return fmt::format(
          "REFUSED; let the key {} change TXT records of the zone {} (BIND: update-policy or "
          "allow-update; Knot: acl)",
          key_name, zone);
    case kNotAuth:
    case kNotZone: return fmt::format("{}; name the primary server of the zone {}", rcode_text(rcode), zone);
    case kNotImp:
      return "NOTIMP: it takes no updates; allow them there, or name the zone's primary server, not a resolver";
    case kServFail: return fmt::format("SERVFAIL; its log says what is wrong with the zone {}", zone);
    default: return rcode_text(rcode);
  }
}

class Conversation {
 public:
  Conversation(const UpdateServer& server, const std::stop_token& stop)
      : server_(server), stop_(stop), deadline_(io::deadline_in(limits::dns_update_time_max)) {}

  Status find_addresses() {
    Result<std::vector<SocketAddress>> found = addresses_of(server_.nameserver, limits::dns_exchange_time_max, stop_);
    if (!found) return std::unexpected(std::move(found.error()));
    addresses_ = std::move(*found);
    return {};
  }

  // The nearest zone that the server has: the first name, from this one upwards, with a SOA record. The questions are
  // signed, since a server may answer nobody else, or show the holder of a key a view of its own. The answers need not
  // be: some servers leave it out where they have no zone, and a wrong zone only makes the update fail.
  Result<std::string> find_zone(const std::string& name) {
    uint16_t last_rcode = kNoError;
    for (std::string_view zone = name; !is_root(zone); zone = parent_name(zone)) {
      const Result<Answer> answer = exchange(write_query(new_id(), zone, kTypeSoa), MustBeSigned::no);
      if (!answer) return std::unexpected(answer.error());
      const Message& message = answer->message;
      last_rcode = message.rcode;
      if (last_rcode == kServFail) return failure("it says " + rcode_advice(kServFail, server_.key, name_text(zone)));
      for (const Record& record : message.answers) {
        if (is_at(record, zone, kTypeSoa)) return std::string(zone);
        // RFC 2136 3.4.2.2: an update beside a CNAME is ignored, and reported as done.
        if (zone == name && is_at(record, name, kTypeCname)) return failure(alias_text(*answer, record));
      }
    }
    return failure(
        fmt::format("it has no zone for it ({}); name the primary server of the zone", rcode_text(last_rcode)));
  }

  Status change(std::string_view zone, Change change, std::string_view name, std::string_view value) {
    const Result<Answer> answer = exchange(write_txt_update(new_id(), zone, change, name, value), MustBeSigned::yes);
    if (!answer) return std::unexpected(answer.error());
    if (answer->message.rcode == kNoError) return {};
    return failure("it says " + rcode_advice(answer->message.rcode, server_.key, name_text(zone)));
  }

 private:
  enum class MustBeSigned : uint8_t { no, yes };

  // One message, signed, and its answer, whose signature is right if it has one.
  Result<Answer> exchange(std::string request, MustBeSigned must_be_signed) {
    const auto wall_now = [] { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); };
    const Result<std::string> mac = sign(request, server_.key, wall_now());
    if (!mac) return std::unexpected(mac.error());

    Answer answer;
    Result<std::string> bytes = send_and_receive(request);
    if (stop_.stop_requested()) return failure("it was given up, since the process ends");
    if (!bytes) return std::unexpected(std::move(bytes.error()));
    answer.bytes = std::move(*bytes);
    Result<Message> message = read_message(as_bytes(answer.bytes));
    if (!message) return failure("its answer is no DNS message: " + message.error().message);
    answer.message = std::move(*message);
    const ConstBytes sent = as_bytes(request);
    if (!answer.message.is_response || answer.message.id != read_u16(sent, 0) ||
        answer.message.opcode != (read_u16(sent, 2) >> 11 & 0xf)) {
      return failure("its answer is one to something else");
    }
    if (must_be_signed == MustBeSigned::no && !is_signed(answer.message)) return answer;
    if (const Status status = verify(as_bytes(answer.bytes), answer.message, server_.key, *mac, wall_now()); !status) {
      return std::unexpected(status.error());
    }
    return answer;
  }

  // A connection of its own for each message: a server may close one at any time (RFC 7766 6.2.3).
  Result<std::string> send_and_receive(const std::string& request) {
    const io::Deadline deadline = std::min(deadline_, io::deadline_in(limits::dns_exchange_time_max));
    Result<io::BlockingSocket> connection = failure("it has no address");
    for (const SocketAddress& address : addresses_) {
      connection = io::BlockingSocket::connect(address, deadline);
      if (connection || stop_.stop_requested()) break;
    }
    if (!connection) {
      return failure(connection.error().message + "; it must be reachable by TCP at this address and port");
    }
    const std::stop_callback wake(stop_, [&connection] { connection->shutdown(); });

    std::string framed;  // RFC 1035 4.2.2
    append_u16(framed, static_cast<uint16_t>(request.size()));
    framed += request;
    if (Status status = connection->write_all(as_bytes(framed), deadline); !status) {
      return std::unexpected(std::move(status.error()));
    }
    const Result<std::string> size = read(*connection, 2, deadline);
    if (!size) return size;
    return read(*connection, read_u16(as_bytes(*size), 0), deadline);
  }

  static Result<std::string> read(const io::BlockingSocket& connection, size_t size, io::Deadline deadline) {
    std::string bytes(size, '\0');
    for (size_t count = 0; count < size;) {
      const auto room = MutableBytes(reinterpret_cast<std::byte*>(bytes.data()), size).subspan(count);
      const Result<size_t> got = connection.read(room, deadline);
      if (!got) return std::unexpected(got.error());
      if (*got == 0) return failure("it closed the connection without an answer; its log may say why");
      count += *got;
    }
    return bytes;
  }

  static std::string alias_text(const Answer& answer, const Record& record) {
    size_t at = record.data_begin;
    const Result<std::string> target = read_name(as_bytes(answer.bytes), at, record.data_begin + record.data_size);
    return fmt::format(
        "the name is an alias (CNAME) of {}, where the record would have to be: make it there with dns01.hook, or "
        "remove the CNAME",
        target ? name_text(*target) : "another name");
  }

  uint16_t new_id() { return static_cast<uint16_t>(random_()); }

  const UpdateServer& server_;
  const std::stop_token& stop_;
  io::Deadline deadline_;
  std::vector<SocketAddress> addresses_;
  std::random_device random_;
};

Status run(const UpdateServer& server, Change change, std::string_view fqdn, std::string_view value,
           const std::stop_token& stop) {
  if (value.size() > 255) return failure("the value is longer than 255 bytes");
  const Result<std::string> name = to_wire_name(fqdn);
  if (!name) return std::unexpected(name.error());
  Conversation conversation(server, stop);
  if (Status status = conversation.find_addresses(); !status) return status;
  const Result<std::string> zone = conversation.find_zone(*name);
  if (!zone) return std::unexpected(zone.error());
  return conversation.change(*zone, change, *name, value);
}

}  // namespace

Status update_txt(const UpdateServer& server, Change change, std::string_view fqdn, std::string_view value,
                  const std::stop_token& stop) {
  const Status status = run(server, change, fqdn, value, stop);
  if (status) return status;
  return failure(fmt::format("cannot {} the TXT record of {} by an update at {}: {}",
                             change == Change::add ? "add" : "remove", fqdn, to_text(server.nameserver),
                             status.error().message));
}

}  // namespace sluice::dns
