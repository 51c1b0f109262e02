// Which of a name's addresses are connected to, and in which order. Pure.
#pragma once

#include "base/address.h"
#include "base/limits.h"
#include "snapshot/requested_target.h"

#include <array>
#include <cstdint>
#include <span>

namespace sluice::upstream {

class AddressChoice {
 public:
  // Those that the guard lets names have, at most limits::connect_race_max: IPv6 first, then the families in turn
  // (RFC 8305 4), each in its order.
  AddressChoice(std::span<const SocketAddress> addresses, uint16_t port, const snapshot::AddressGuard& guard) noexcept;

  // Empty: the guard refuses all.
  [[nodiscard]] std::span<const SocketAddress> chosen() const noexcept { return {addresses_.data(), count_}; }

 private:
  std::array<SocketAddress, limits::connect_race_max> addresses_;
  size_t count_ = 0;
};

}  // namespace sluice::upstream
