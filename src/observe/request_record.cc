#include "observe/request_record.h"

#include <cstring>

namespace sluice::observe {

namespace {

// In the order of the bits.
constexpr std::string_view kFlagNames[] = {"UH", "UF", "UC",  "UR", "UO", "UT", "URX", "UPE", "NR",
                                           "NC", "DC", "DPE", "SI", "LR", "DI", "FI",  "DT",  "DF"};
static_assert(1U << (std::size(kFlagNames) - 1) == static_cast<uint32_t>(ResponseFlag::dns_resolution_failure));

}  // namespace

std::string_view write_flags(ResponseFlags flags, std::span<char, response_flags_text_max> room) noexcept {
  if (flags.none()) return "-";
  size_t size = 0;
  for (size_t bit = 0; bit < std::size(kFlagNames); ++bit) {
    if ((flags.bits >> bit & 1) == 0) continue;
    if (size > 0) room[size++] = ',';
    std::memcpy(&room[size], kFlagNames[bit].data(), kFlagNames[bit].size());
    size += kFlagNames[bit].size();
  }
  return {room.data(), size};
}

std::string_view protocol_text(http::Version version) noexcept {
  switch (version) {
    case http::Version::http_1_0: return "HTTP/1.0";
    case http::Version::http_1_1: return "HTTP/1.1";
    case http::Version::http_2: return "HTTP/2";
  }
  return "-";
}

}  // namespace sluice::observe
