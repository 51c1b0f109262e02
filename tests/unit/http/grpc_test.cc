#include "http/grpc.h"

#include "base/grpc_status.h"
#include "base/limits.h"

#include <gtest/gtest.h>

#include <chrono>
#include <initializer_list>
#include <string>

namespace sluice::http {
namespace {

using namespace std::chrono_literals;

bool is_grpc(std::string_view method, std::string_view type) {
  Arena arena(4096);
  RequestHead head(arena);
  head.method = method;
  EXPECT_TRUE(head.headers.add("content-type", type));
  return http::is_grpc(head);
}

TEST(Grpc, RequestsAreKnownByTheirType) {
  EXPECT_TRUE(is_grpc("POST", "application/grpc"));
  EXPECT_TRUE(is_grpc("POST", "application/grpc+proto"));
  EXPECT_FALSE(is_grpc("POST", "application/grpc-web"));
  EXPECT_FALSE(is_grpc("POST", "application/grpc-web+proto"));
  EXPECT_FALSE(is_grpc("POST", "application/grp"));
  EXPECT_FALSE(is_grpc("GET", "application/grpc"));
  Arena arena(4096);
  RequestHead head(arena);
  head.method = "POST";
  EXPECT_FALSE(http::is_grpc(head));
}

TEST(Grpc, TimeoutsHaveDigitsAndAUnit) {
  EXPECT_EQ(read_grpc_timeout("1H"), 1h);
  EXPECT_EQ(read_grpc_timeout("2M"), 2min);
  EXPECT_EQ(read_grpc_timeout("3S"), 3s);
  EXPECT_EQ(read_grpc_timeout("4m"), 4ms);
  EXPECT_EQ(read_grpc_timeout("5u"), 5us);
  EXPECT_EQ(read_grpc_timeout("00000006n"), 6ns);
  EXPECT_EQ(read_grpc_timeout("0S"), 0s);
  EXPECT_EQ(read_grpc_timeout("99999999H"), 24h * 365) << "no overflow";
  for (const std::string_view wrong :
       {"", "1", "S", "-1S", "+1S", " 1S", "1 S", "1s", "1.5S", "123456789S", "1SS", "0x1S", "1\0S"}) {
    EXPECT_FALSE(read_grpc_timeout(wrong)) << wrong;
  }
}

TEST(Grpc, TimeoutsAreWrittenInTheFinestUnitThatHoldsThem) {
  Arena arena(4096);
  EXPECT_EQ(write_grpc_timeout(1ns, arena), "1n");
  EXPECT_EQ(write_grpc_timeout(99'999'999ns, arena), "99999999n");
  EXPECT_EQ(write_grpc_timeout(100ms, arena), "100000u");
  EXPECT_EQ(write_grpc_timeout(15s, arena), "15000000u");
  EXPECT_EQ(write_grpc_timeout(100s, arena), "100000m");
  EXPECT_EQ(write_grpc_timeout(100s + 1ns, arena), "100001m") << "rounded up";
  EXPECT_EQ(write_grpc_timeout(365 * 24h, arena), "31536000S");
  EXPECT_EQ(write_grpc_timeout(Duration::max(), arena), "2562048H");
  Arena full(0);
  EXPECT_EQ(write_grpc_timeout(1s, full), "");
}

TEST(Grpc, WhatIsWrittenReadsAsAtLeastTheSame) {
  Arena arena(1 << 20);
  for (Duration timeout = 1ns; timeout < 300 * 24h; timeout = timeout * 7 / 3 + 1ns) {
    const auto read = read_grpc_timeout(write_grpc_timeout(timeout, arena));
    ASSERT_TRUE(read);
    EXPECT_GE(*read, timeout);
    EXPECT_LE(*read - timeout, timeout / 90'000) << timeout.count();
  }
}

TEST(Grpc, MessagesArePercentEncoded) {
  Arena arena(1 << 20);
  EXPECT_EQ(grpc_message("no healthy upstream", arena), "no healthy upstream");
  EXPECT_EQ(grpc_message("100% \xc3\xa4\n\x7f", arena), "100%25 %C3%A4%0A%7F");
  EXPECT_EQ(grpc_message(std::string(2 * limits::grpc_message_bytes_max, '\n'), arena).size(),
            3 * limits::grpc_message_bytes_max);
  Arena full(0);
  EXPECT_EQ(grpc_message("x", full), "");
}

TEST(GrpcStatus, HasNamesAndNumbers) {
  EXPECT_EQ(to_text(GrpcStatus::ok), "0");
  EXPECT_EQ(to_text(GrpcStatus::unavailable), "14");
  EXPECT_EQ(to_text(GrpcStatus::unauthenticated), "16");
  EXPECT_EQ(read_grpc_status("0"), GrpcStatus::ok);
  EXPECT_EQ(read_grpc_status("16"), GrpcStatus::unauthenticated);
  for (const std::string_view unknown : {"", "17", "-1", "00", "1 ", "99999999999999999999"})
    EXPECT_FALSE(read_grpc_status(unknown)) << unknown;
  EXPECT_EQ(camel_name(GrpcStatus::cancelled), "Canceled");
  EXPECT_EQ(camel_name(GrpcStatus::deadline_exceeded), "DeadlineExceeded");
  EXPECT_EQ(camel_name(GrpcStatus::unauthenticated), "Unauthenticated");
  EXPECT_EQ(grpc_status_of("OK"), GrpcStatus::ok);
  EXPECT_EQ(grpc_status_of("CANCELLED"), GrpcStatus::cancelled);
  EXPECT_EQ(grpc_status_of("DATA_LOSS"), GrpcStatus::data_loss);
  EXPECT_EQ(grpc_status_of("UNAUTHENTICATED"), GrpcStatus::unauthenticated);
  EXPECT_FALSE(grpc_status_of("ok"));
}

TEST(GrpcStatus, IsTranslatedAsEnvoyDoesIt) {
  EXPECT_EQ(to_grpc_status(400), GrpcStatus::internal);
  EXPECT_EQ(to_grpc_status(401), GrpcStatus::unauthenticated);
  EXPECT_EQ(to_grpc_status(403), GrpcStatus::permission_denied);
  EXPECT_EQ(to_grpc_status(404), GrpcStatus::unimplemented);
  for (const uint16_t status : std::initializer_list<uint16_t>{429, 502, 503, 504})
    EXPECT_EQ(to_grpc_status(status), GrpcStatus::unavailable);
  for (const uint16_t status : std::initializer_list<uint16_t>{200, 301, 431, 500})
    EXPECT_EQ(to_grpc_status(status), GrpcStatus::unknown);
  EXPECT_EQ(to_http_status(GrpcStatus::unavailable), 503);
  EXPECT_EQ(to_http_status(GrpcStatus::cancelled), 499);
  EXPECT_EQ(to_http_status(GrpcStatus::unknown), 500);
  EXPECT_EQ(to_http_status(GrpcStatus::resource_exhausted), 429);
}

}  // namespace
}  // namespace sluice::http
