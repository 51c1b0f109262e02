// Our sessions with nghttp2's own as the peer, which decides for itself what to send when.
#include "support/http2_ends.h"

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <cstring>

namespace sluice::http {
namespace {

using namespace sluice::test;
using Message = Http2End::Message;

nghttp2_nv field(std::string_view name, std::string_view value) {
  const auto pointer = [](std::string_view text) {
    return const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(text.data()));
  };
  return {pointer(name), pointer(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

// A session of nghttp2 with automatic windows, that sends one message on each stream and keeps what it hears.
class NghttpPeer {
 public:
  explicit NghttpPeer(bool is_server) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame*, const uint8_t* name, size_t name_size,
                      const uint8_t* value, size_t value_size, uint8_t, void* peer) {
          self(peer).heard += std::string(reinterpret_cast<const char*>(name), name_size) + "=" +
                              std::string(reinterpret_cast<const char*>(value), value_size) + "\n";
          return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks, [](nghttp2_session*, uint8_t, int32_t, const uint8_t* bytes, size_t size, void* peer) {
          self(peer).content.append(reinterpret_cast<const char*>(bytes), size);
          return 0;
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* peer) {
          if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
              (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
            ++self(peer).ended;
          return 0;
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        callbacks, [](nghttp2_session*, int32_t, uint32_t error, void* peer) {
          self(peer).heard += "closed " + std::to_string(error) + "\n";
          return 0;
        });
    const auto create = is_server ? nghttp2_session_server_new : nghttp2_session_client_new;
    create(&session, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, nullptr, 0);
  }
  NghttpPeer(const NghttpPeer&) = delete;
  NghttpPeer& operator=(const NghttpPeer&) = delete;
  ~NghttpPeer() { nghttp2_session_del(session); }

  // `to_send`, with trailers behind it.
  nghttp2_data_provider provider() {
    return {.source = {.ptr = this},
            .read_callback = [](nghttp2_session* nghttp2, int32_t id, uint8_t* room, size_t size, uint32_t* flags,
                                nghttp2_data_source* source, void*) -> ssize_t {
              std::string& rest = self(source->ptr).to_send;
              size = std::min(size, rest.size());
              std::memcpy(room, rest.data(), size);
              rest.erase(0, size);
              if (!rest.empty()) return static_cast<ssize_t>(size);
              *flags = NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
              const nghttp2_nv trailer = field("check", "sum");
              nghttp2_submit_trailer(nghttp2, id, &trailer, 1);
              return static_cast<ssize_t>(size);
            }};
  }

  // Carries bytes both ways until nobody has any; `turn` is what our owner does in between.
  void run(Http2End& end, const std::function<void()>& turn) {
    for (bool has_moved = true; has_moved;) {
      has_moved = false;
      const uint8_t* bytes = nullptr;
      for (ssize_t size; (size = nghttp2_session_mem_send(session, &bytes)) > 0; has_moved = true)
        ASSERT_TRUE(end.receive({reinterpret_cast<const char*>(bytes), static_cast<size_t>(size)}))
            << end.session.error_text();
      turn();
      const std::string output = end.take_output();
      if (output.empty()) continue;
      has_moved = true;
      ASSERT_EQ(nghttp2_session_mem_recv(session, reinterpret_cast<const uint8_t*>(output.data()), output.size()),
                static_cast<ssize_t>(output.size()));
    }
  }

  nghttp2_session* session = nullptr;
  std::string heard;
  std::string content;
  std::string to_send;
  int ended = 0;

 private:
  static NghttpPeer& self(void* peer) { return *static_cast<NghttpPeer*>(peer); }
};

TEST(Http2SessionInterop, AClientOfNghttp2) {
  Http2End server(Http2End::Role::server);
  NghttpPeer client(false);
  client.to_send = std::string(2'000'000, 'u');
  const nghttp2_data_provider provider = client.provider();
  const nghttp2_nv request[] = {field(":method", "POST"), field(":scheme", "https"), field(":authority", "a.example"),
                                field(":path", "/x"),     field("cookie", "a=b"),    field("cookie", "c=d")};
  ASSERT_EQ(nghttp2_submit_request(client.session, nullptr, request, 6, &provider, nullptr), 1);

  const std::string answer(1'000'000, 'd');
  std::string uploaded;
  size_t written = 0;
  bool has_begun = false;
  bool has_ended = false;
  client.run(server, [&] {
    if (server.messages.empty()) return;
    Message& message = server.last();
    uploaded += message.read();
    if (!has_begun) {
      has_begun = true;
      EXPECT_EQ(*message.request.headers.find("cookie"), "a=b; c=d");
      message.stream.send_response(200, HeaderList(message.arena), {.body = BodyFraming::chunked}, false);
    }
    const size_t size = std::min(message.stream.writable_bytes(), answer.size() - written);
    if (size > 0) message.stream.write(as_bytes(std::string_view(answer).substr(written, size)));
    written += size;
    if (written == answer.size() && !has_ended) {
      has_ended = true;
      HeaderList trailers(message.arena);
      EXPECT_TRUE(trailers.add("done", "yes"));
      message.stream.finish(&trailers);
    }
  });
  Message& message = server.last();
  EXPECT_EQ(uploaded.size(), 2'000'000U);
  EXPECT_EQ(fields_text(message.stream.trailers()), "check: sum\n");
  EXPECT_TRUE(message.stream.is_content_done() && message.stream.is_sent());
  EXPECT_EQ(client.content, answer);
  EXPECT_EQ(client.heard, ":status=200\ndone=yes\nclosed 0\n");
}

TEST(Http2SessionInterop, AServerOfNghttp2) {
  Http2End client(Http2End::Role::client);
  NghttpPeer server(true);
  Message& message = client.post("/x");
  const std::string upload(700'000, 'u');
  size_t written = 0;
  bool has_answered = false;
  std::string received;
  server.run(client, [&] {
    const size_t size = std::min(message.stream.writable_bytes(), upload.size() - written);
    if (size > 0) message.stream.write(as_bytes(std::string_view(upload).substr(written, size)));
    written += size;
    if (written == upload.size() && !message.stream.is_sent()) message.stream.finish();
    received += message.read();
    if (server.ended == 1 && !has_answered) {
      has_answered = true;
      server.to_send = std::string(3'000'000, 'd');
      const nghttp2_data_provider provider = server.provider();
      const nghttp2_nv response[] = {field(":status", "200"), field("content-length", "3000000")};
      EXPECT_EQ(nghttp2_submit_response(server.session, 1, response, 2, &provider), 0);
    }
  });
  EXPECT_EQ(server.content, upload);
  EXPECT_EQ(received.size(), 3'000'000U);
  EXPECT_EQ(message.response.content_length, 3'000'000U);
  EXPECT_EQ(fields_text(message.stream.trailers()), "check: sum\n");
  EXPECT_TRUE(message.stream.is_content_done());
  EXPECT_EQ(server.heard, ":method=POST\n:scheme=https\n:authority=a.example\n:path=/x\nclosed 0\n");

  // GOAWAY of nghttp2, and what becomes of a request that it has not taken.
  nghttp2_submit_shutdown_notice(server.session);
  nghttp2_submit_goaway(server.session, NGHTTP2_FLAG_NONE, 1, NGHTTP2_NO_ERROR, nullptr, 0);
  Message& late = client.get();
  client.take_output();  // never arrives
  server.run(client, [] {});
  EXPECT_TRUE(late.stream.may_be_retried());
  client.messages.clear();
  EXPECT_TRUE(client.session.is_finished());
}

}  // namespace
}  // namespace sluice::http
