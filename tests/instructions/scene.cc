#include "instructions/scene.h"

#include <algorithm>
#include <utility>

namespace sluice::instructions {

namespace {

// What is sent has arrived, all of it, and sockets have room for more.
sim::Weather still_weather() {
  sim::Weather weather = sim::fine_weather();
  weather.latency_max = Duration::zero();
  weather.socket_buffer_max = 8 * 1024 * 1024;
  weather.mixes_completions = false;
  return weather;
}

constexpr uint64_t kSeed = 1;

}  // namespace

Scene::Scene(std::unique_ptr<snapshot::Snapshot> snapshot) : Dialogue(kSeed, still_weather(), {}, std::move(snapshot)) {
  connect_delay = Duration::zero();
  gateway().tidies = false;  // seldom enough not to count
}

void Scene::answer_with(std::string response, size_t request_content_bytes) {
  response_ = std::move(response);
  request_content_bytes_ = request_content_bytes;
}

void Scene::answer_by_http2(size_t content_bytes) {
  is_http2_ = true;
  content_.assign(content_bytes, 'x');
}

void Scene::answer() {
  if (is_http2_) return answer_streams();
  if (response_.empty()) return;
  for (size_t i = 0; i < upstream_count(); ++i) {
    sim::Speaker& asked = upstream(i);
    if (!is_whole_message(asked.heard(), request_content_bytes_)) continue;
    static_cast<void>(asked.take_heard());
    asked.say(response_);
  }
}

void Scene::answer_streams() {
  for (size_t i = 0; i < upstream_count(); ++i) {
    if (i == http2_upstreams_.size())
      http2_upstreams_.push_back(std::make_unique<test::Http2End>(test::Http2End::Role::server));
    test::Http2End& end = *http2_upstreams_[i];
    const std::string heard = upstream(i).take_heard();
    if (!heard.empty()) CHECK(end.receive(heard));
    for (const auto& message : end.messages) {
      if (message->stream.is_content_done()) end.respond(*message, 200, content_);
    }
    if (!end.output.empty()) upstream(i).say(end.take_output());
    std::erase_if(end.messages, [](const auto& message) { return message->stream.is_content_done(); });
  }
}

bool is_whole_message(std::string_view text, size_t content_bytes) {
  const size_t head_end = text.find("\r\n\r\n");
  return head_end != std::string_view::npos && text.size() == head_end + 4 + content_bytes;
}

std::string response_of(size_t content_bytes) {
  return "HTTP/1.1 200 OK\r\n"
         "Server: nginx/1.26.3\r\n"
         "Date: Wed, 25 Nov 2026 10:15:04 GMT\r\n"
         "Content-Type: text/plain\r\n"
         "Content-Length: " +
         std::to_string(content_bytes) +
         "\r\n"
         "Connection: keep-alive\r\n"
         "\r\n" +
         std::string(content_bytes, 'x');
}

// --- Wire ------------------------------------------------------------------------------------------

Wire::Wire(Scene& scene, const std::string& protocol, test::OpensslSession session)
    : speaker_(scene.connect(tls_listener)),
      tls_(std::make_unique<test::OpensslClient>(
          test::ClientOptions{.alpn = {protocol}, .session = std::move(session)})) {
  scene.run_until([this] {
    tls_->feed(as_bytes(speaker_.take_heard()));
    const bool is_done = tls_->handshake();
    speaker_.say(tls_->take_output());
    return is_done;
  });
}

void Wire::say(std::string_view text) {
  if (tls_ == nullptr) return speaker_.say(text);
  tls_->write(text);
  speaker_.say(tls_->take_output());
}

std::string Wire::take_heard() {
  std::string heard = speaker_.take_heard();
  if (tls_ == nullptr || heard.empty()) return heard;
  tls_->feed(as_bytes(heard));
  return tls_->read();
}

void Wire::close() {
  if (tls_ != nullptr) {
    tls_->send_close_notify();
    speaker_.say(tls_->take_output());
  }
  speaker_.close();
}

// --- HTTP/1 ----------------------------------------------------------------------------------------

void Http1Client::ask(std::string_view request, size_t response_content_bytes) {
  heard_.clear();
  content_bytes_ = response_content_bytes;
  wire_.say(request);
}

bool Http1Client::is_answered() {
  heard_ += wire_.take_heard();
  CHECK(heard_.size() < 12 || heard_.starts_with("HTTP/1.1 200"));
  return is_whole_message(heard_, content_bytes_);
}

// --- HTTP/2 ----------------------------------------------------------------------------------------

void Http2Client::ask(unsigned count) {
  end_->messages.clear();
  received_.assign(count, 0);
  for (unsigned i = 0; i < count; ++i) end_->get();
  pass();
}

void Http2Client::pass() {
  const std::string heard = wire_.take_heard();
  if (!heard.empty()) CHECK(end_->receive(heard));
  if (!end_->output.empty()) wire_.say(end_->take_output());
}

bool Http2Client::is_answered(size_t response_content_bytes) {
  pass();
  for (size_t i = 0; i < received_.size(); ++i) received_[i] += end_->messages[i]->read().size();
  if (!end_->output.empty()) pass();  // windows
  return std::ranges::all_of(end_->messages, [](const auto& message) { return message->stream.is_content_done(); }) &&
         std::ranges::all_of(end_->messages, [](const auto& message) { return message->response.status == 200; }) &&
         std::ranges::all_of(received_, [=](size_t received) { return received == response_content_bytes; });
}

}  // namespace sluice::instructions
