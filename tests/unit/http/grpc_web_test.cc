#include "http/grpc_web.h"

#include "base/limits.h"
#include "http/grpc.h"
#include "support/http_reading.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>

namespace sluice::http {
namespace {

struct Request {
  explicit Request(std::string_view type, std::string_view accept = {})
      : arena(limits::exchange_arena_bytes_max), head(arena) {
    head.method = "POST";
    head.framing = BodyFraming::content_length;
    head.content_length = 20;
    EXPECT_TRUE(head.headers.add("content-type", type));
    EXPECT_TRUE(accept.empty() || head.headers.add("accept", accept));
  }

  Arena arena;
  RequestHead head;
};

GrpcWeb translated(Request& request) {
  const std::optional<GrpcWeb> web = read_grpc_web(request.head);
  EXPECT_TRUE(web && translate_grpc_web(request.head, *web));
  return web.value_or(GrpcWeb{});
}

TEST(GrpcWeb, RequestsBecomeGrpc) {
  for (const std::string_view type : {"application/grpc-web", "application/grpc-web+proto",
                                      "application/grpc-web; charset=utf-8", "Application/gRPC-Web+Proto"}) {
    Request request(type);
    const GrpcWeb web = translated(request);
    EXPECT_FALSE(web.is_text_request);
    EXPECT_FALSE(web.is_text_response);
    EXPECT_EQ(web.response_type(), "application/grpc-web+proto");
    EXPECT_TRUE(is_grpc(request.head));
    EXPECT_EQ(test::fields_text(request.head.headers),
              "content-type: application/grpc\nte: trailers\ngrpc-accept-encoding: identity,deflate,gzip\n");
    EXPECT_EQ(request.head.framing, BodyFraming::content_length) << "it is as long";
  }
}

TEST(GrpcWeb, TextIsOfAnotherLength) {
  for (const std::string_view type : {"application/grpc-web-text", "application/grpc-web-text+proto"}) {
    Request request(type, type);
    const GrpcWeb web = translated(request);
    EXPECT_TRUE(web.is_text_request);
    EXPECT_TRUE(web.is_text_response);
    EXPECT_EQ(web.response_type(), "application/grpc-web-text+proto");
    EXPECT_EQ(request.head.framing, BodyFraming::chunked);
  }
}

TEST(GrpcWeb, TheClientSaysWhetherItWantsText) {
  Request wants("application/grpc-web", "application/grpc-web-text");
  const GrpcWeb of_bytes = translated(wants);
  EXPECT_FALSE(of_bytes.is_text_request);
  EXPECT_TRUE(of_bytes.is_text_response);
  Request does_not("application/grpc-web-text", "*/*");
  const GrpcWeb of_text = translated(does_not);
  EXPECT_TRUE(of_text.is_text_request);
  EXPECT_FALSE(of_text.is_text_response);
}

TEST(GrpcWeb, KeepsWhatTheClientSaysOfCompression) {
  Request request("application/grpc-web");
  EXPECT_TRUE(request.head.headers.add("grpc-accept-encoding", "gzip"));
  translated(request);
  EXPECT_EQ(request.head.headers.find("grpc-accept-encoding"), "gzip");
  EXPECT_EQ(request.head.headers.count("grpc-accept-encoding"), 1U);
}

TEST(GrpcWeb, OthersStayAsTheyAre) {
  for (const std::string_view type : {"application/grpc", "application/grpc+proto", "application/grpc-websocket",
                                      "application/grpc-web+json", "application/json", ""}) {
    Request request(type);
    EXPECT_FALSE(read_grpc_web(request.head)) << type;
  }
  Request get("application/grpc-web");
  get.head.method = "GET";
  EXPECT_FALSE(read_grpc_web(get.head));
}

TEST(GrpcWeb, TrailersAreAFrame) {
  Arena arena(limits::exchange_arena_bytes_max);
  HeaderList trailers(arena);
  EXPECT_EQ(grpc_web_trailers(trailers), std::string("\x80\0\0\0\0", 5));
  ASSERT_TRUE(trailers.add("grpc-status", "0") && trailers.add("x-more", "a b"));
  EXPECT_EQ(grpc_web_trailers(trailers), std::string("\x80\0\0\0\x1b", 5) + "grpc-status:0\r\nx-more:a b\r\n");
}

}  // namespace
}  // namespace sluice::http
