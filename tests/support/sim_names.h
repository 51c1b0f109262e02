// Who looks names up in the simulated world: a table that the test fills in, and which answers after a while.
#pragma once

#include "base/name_lookup.h"
#include "sim_io/world.h"

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::sim {

using NameTable = std::map<std::string, std::vector<SocketAddress>, std::less<>>;

class SimNames final : public NameLookup {
 public:
  explicit SimNames(World& world) noexcept : world_(world) {}

  void look_up(std::string_view name, const std::shared_ptr<NameAnswers>& answers) override {
    questions.emplace_back(name);
    if (is_silent) return;
    world_.after(delay, [this, name = std::string(name), answers] {
      NameAnswer answer{.name = name, .addresses = {}, .lifetime = lifetime, .error = {}};
      const auto found = world_.chance(failures) ? names.end() : names.find(name);
      if (found == names.end()) answer.error = "Domain name not found";
      if (found != names.end()) answer.addresses = found->second;
      answers->put(std::move(answer));
    });
  }

  // "192.0.2.1", "2001:db8::1"
  void set(const std::string& name, const std::vector<std::string>& addresses) {
    names[name].clear();
    for (const std::string& text : addresses) names[name].push_back(*SocketAddress::from_ip(text, 0));
  }

  NameTable names;
  std::vector<std::string> questions;
  Duration delay = std::chrono::milliseconds(3);
  Duration lifetime = std::chrono::seconds(60);
  unsigned failures = 0;  // in thousandths
  bool is_silent = false;

 private:
  World& world_;
};

}  // namespace sluice::sim
