// A name server that knows a few names, for tests of looking them up.
#pragma once

#include "udp_server.h"

#include <arpa/inet.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace sluice::dns {

inline constexpr uint16_t kTypeA = 1;
inline constexpr uint16_t kTypeAaaa = 28;

struct HostRecord {
  std::string name;
  uint16_t type;
  std::string ip;
  uint32_t ttl;
};

// A name server on the loopback address (RFC 1035 4.1) that knows a few names, says that it does not know
// others, and is silent about "silent.test".
class NameServer {
 public:
  explicit NameServer(std::vector<HostRecord> records)
      : records_(std::move(records)), server_([this](const std::string& query) {
          ++query_count_;
          return reply_to(query);
        }) {}

  // From now on it answers like that, instead of with records.
  void reply_with(std::function<std::string(const std::string& query)> reply) {
    const std::lock_guard lock(mutex_);
    reply_ = std::move(reply);
  }
  // It says SERVFAIL to everything, or nothing.
  std::atomic<bool> is_broken{false};
  std::atomic<bool> is_silent{false};

  void set_records(std::vector<HostRecord> records) {
    const std::lock_guard lock(mutex_);
    records_ = std::move(records);
  }
  uint16_t port() const { return server_.port(); }
  std::string place() const { return "127.0.0.1:" + std::to_string(server_.port()); }
  unsigned query_count() const { return query_count_; }

 private:
  std::string reply_to(const std::string& query) {
    if (is_silent) return "";
    const std::lock_guard lock(mutex_);
    if (reply_) return reply_(query);
    std::string name;
    size_t at = 12;
    for (size_t label; (label = static_cast<unsigned char>(query[at])) != 0; at += label + 1) {
      name += (name.empty() ? "" : ".") + query.substr(at + 1, label);
    }
    if (name == "silent.test") return "";
    const auto type = static_cast<uint16_t>(query[at + 2]);
    std::string answers;
    uint8_t count = 0;
    bool is_known = false;
    for (const HostRecord& record : records_) {
      is_known = is_known || record.name == name;
      if (record.name != name || record.type != type) continue;
      ++count;
      char ip[16];
      const size_t ip_bytes = record.type == kTypeA ? 4 : 16;
      inet_pton(record.type == kTypeA ? AF_INET : AF_INET6, record.ip.c_str(), ip);
      const uint32_t ttl = htonl(record.ttl);
      answers += std::string("\xc0\x0c\0", 3) + static_cast<char>(record.type) + std::string("\0\1", 2) +
                 std::string(reinterpret_cast<const char*>(&ttl), 4) + '\0' + static_cast<char>(ip_bytes) +
                 std::string(ip, ip_bytes);
    }
    std::string made = query.substr(0, 2);
    made += std::string("\x81", 1) + static_cast<char>(is_broken ? 0x82 : is_known ? 0x80 : 0x83);
    made += std::string("\0\1\0", 3) + static_cast<char>(count) + std::string(4, '\0');
    return made + query.substr(12, at + 5 - 12) + answers;
  }

  std::mutex mutex_;
  std::function<std::string(const std::string&)> reply_;
  std::vector<HostRecord> records_;
  std::atomic<unsigned> query_count_{0};
  UdpServer server_;
};

}  // namespace sluice::dns
