#include "certs/der_writer.h"

#include "tls/der.h"

#include <gtest/gtest.h>

namespace sluice::certs::der {
namespace {

using namespace std::chrono_literals;
using namespace std::string_view_literals;

TEST(Element, WritesEveryLengthInTheShortestForm) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{0x7f}, size_t{0x80}, size_t{0xff}, size_t{0x100},
                            size_t{0xffff}, size_t{0x10000}}) {
    const std::string text = element(tls::der::kOctetString, std::string(size, 'x'));
    const size_t header = size < 0x80 ? 2 : size < 0x100 ? 3 : size < 0x10000 ? 4 : 5;
    EXPECT_EQ(text.size(), header + size);
    ConstBytes rest = as_bytes(text);
    const auto read = tls::der::take(rest);
    ASSERT_TRUE(read.has_value()) << size;
    EXPECT_EQ(read->content.size(), size);
    EXPECT_TRUE(rest.empty());
  }
}

TEST(Integer, IsNeverNegativeAndHasNoZerosInFront) {
  EXPECT_EQ(integer(""), "\x02\x01\x00"sv);
  EXPECT_EQ(integer("\0\0"sv), "\x02\x01\x00"sv);
  EXPECT_EQ(integer("\0\x01"sv), "\x02\x01\x01"sv);
  EXPECT_EQ(integer("\x7f"), "\x02\x01\x7f"sv);
  EXPECT_EQ(integer("\x80"), "\x02\x02\x00\x80"sv);
}

TEST(NamedBits, LeavesOutZerosAtTheEnd) {
  EXPECT_EQ(named_bits(0), "\x03\x01\x00"sv);
  EXPECT_EQ(named_bits(1U << 15), "\x03\x02\x07\x80"sv);                 // digitalSignature
  EXPECT_EQ(named_bits((1U << 15) | (1U << 13)), "\x03\x02\x05\xa0"sv);  // and keyEncipherment
  EXPECT_EQ(named_bits(1U << 8), "\x03\x02\x00\x01"sv);
  EXPECT_EQ(named_bits(1U << 7), "\x03\x03\x07\x00\x80"sv);  // decipherOnly
}

TEST(Time, IsGeneralizedFrom2050On) {
  const WallTime end_of_2049 = std::chrono::sys_days(std::chrono::year(2049) / 12 / 31) + 23h + 59min + 59s;
  EXPECT_EQ(time(end_of_2049 + 900ms),
            "\x17\x0d"
            "491231235959Z"sv);
  EXPECT_EQ(time(end_of_2049 + 1s),
            "\x18\x0f"
            "20500101000000Z"sv);
}

}  // namespace
}  // namespace sluice::certs::der
