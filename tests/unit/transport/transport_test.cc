// Transports over the simulated kernel, with a peer that speaks plain bytes or, by another library, TLS.
#include "transport/transport.h"

#include "connection.h"
#include "openssl_client.h"

#include "base/limits.h"
#include "base/random.h"
#include "sim_io/kernel.h"
#include "sim_io/network.h"
#include "sim_io/world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace sluice::transport {
namespace {

using test::ClientOptions;
using test::OpensslClient;
using test::random_text;
using tls::SessionStatus;
using namespace std::chrono_literals;

constexpr int kBadRecordMac = 20;  // RFC 8446 6.2
constexpr int kHandshakeFailure = 40;
constexpr size_t kRecordOverhead = 17;  // of TLS 1.3: the content's type and the tag (RFC 8446 5.2)
const SocketAddress address = *SocketAddress::parse("192.0.2.1:80");

const std::shared_ptr<tls::ServerContext>& server_context() {
  static const std::shared_ptr<tls::ServerContext> context = test::make_context(test::five_suites());
  return context;
}

// The other end of the transport's connection. With TLS, what it says and hears is plaintext.
class Peer {
 public:
  explicit Peer(sim::Endpoint& endpoint) : endpoint_(endpoint) {}

  void speak_tls(const ClientOptions& options) { tls_ = std::make_unique<OpensslClient>(options); }
  void say(std::string_view text) {
    if (tls_ == nullptr) {
      unsaid_ += text;
    } else {
      tls_->write(text);
    }
  }
  // Past TLS, as it is.
  void say_on_the_wire(std::string_view bytes) { unsaid_ += bytes; }
  void finish() { finish_wanted_ = true; }
  void reset() {
    endpoint_.reset();
    is_gone_ = true;
  }
  void move();

  [[nodiscard]] OpensslClient& tls() { return *tls_; }
  [[nodiscard]] bool is_secure() const { return is_secure_; }
  [[nodiscard]] const std::string& heard() const { return heard_; }
  [[nodiscard]] std::string take_heard() { return std::exchange(heard_, {}); }
  [[nodiscard]] bool has_said_all() const { return unsaid_.empty(); }
  [[nodiscard]] bool has_heard_fin() const { return has_ended_ && endpoint_.has_peer_finished(); }
  // What is inside each of the records that came since the last call, in bytes.
  [[nodiscard]] std::vector<size_t> take_records();

  size_t piece_max = SIZE_MAX;  // that it says at a time
  bool is_listening = true;

 private:
  sim::Endpoint& endpoint_;
  std::unique_ptr<OpensslClient> tls_;
  std::string unsaid_;  // on the wire
  std::string wire_;    // as it came, since the last take_records()
  std::string heard_;
  bool is_secure_ = false;
  bool finish_wanted_ = false;
  bool has_finished_ = false;
  bool has_ended_ = false;
  bool is_gone_ = false;
};

void Peer::move() {
  if (is_gone_) return;
  if (tls_ != nullptr) {
    if (!is_secure_) is_secure_ = tls_->handshake();
    unsaid_ += tls_->take_output();
  }
  for (size_t left = piece_max; left > 0 && !unsaid_.empty();) {
    const long written = endpoint_.write(as_bytes(std::string_view(unsaid_).substr(0, left)));
    if (written <= 0) break;
    unsaid_.erase(0, static_cast<size_t>(written));
    left -= static_cast<size_t>(written);
  }
  if (finish_wanted_ && unsaid_.empty() && !std::exchange(has_finished_, true)) endpoint_.shutdown_write();
  if (!is_listening || has_ended_) return;
  std::array<std::byte, 16 * 1024> room;
  long count = 0;
  while ((count = endpoint_.read(room)) > 0) {
    const ConstBytes bytes = ConstBytes(room).first(static_cast<size_t>(count));
    wire_ += as_text(bytes);
    if (tls_ == nullptr) heard_ += as_text(bytes);
    if (tls_ != nullptr) tls_->feed(bytes);
  }
  has_ended_ = count != -EAGAIN;
  if (is_secure_) heard_ += tls_->read();
}

std::vector<size_t> Peer::take_records() {
  std::vector<size_t> sizes;
  size_t at = 0;
  while (wire_.size() - at >= 5) {  // RFC 8446 5.1: type, version, length
    const size_t size = static_cast<unsigned char>(wire_[at + 3]) * 256U + static_cast<unsigned char>(wire_[at + 4]);
    sizes.push_back(size);
    at += 5 + size;
  }
  EXPECT_EQ(at, wire_.size()) << "a record is not complete";
  wire_.clear();
  return sizes;
}

// A transport that has connected to its peer; with TLS it is the server all the same.
class TransportInWorld {
 public:
  explicit TransportInWorld(uint64_t seed = 1, const sim::Weather& weather = sim::fine_weather())
      : world_(seed, weather), loop_(std::move(*io::Loop::create())) {
    world_.network().serve(
        address, {.answer = [] { return sim::Network::Answer{}; },
                  .on_connection = [this](sim::Endpoint& endpoint) { peer_ = std::make_unique<Peer>(endpoint); }});
    transport_ = std::make_unique<Transport>(*loop_, on_change, this);
    transport_->stream().connect(address);
    while (!transport_->stream().is_open()) loop_->turn(1s);
  }
  ~TransportInWorld() {
    act = nullptr;
    transport_->stream().terminate();
    EXPECT_TRUE(turn_until([&] { return transport_->stream().is_closed(); }));
    loop_->turn(1ms);
    transport_.reset();
    EXPECT_EQ(loop_->chunks().taken_count(), 0U);
    for (int i = 0; i < 3; ++i) loop_->turn(10ms);  // late completions of cancellations
    world_.check_nothing_left();
  }

  // False: it does not come to that.
  template <typename IsDone>
  bool turn_until(IsDone is_done) {
    for (int i = 0; i < 20'000 && !is_done(); ++i) turn();
    return is_done();
  }
  // Until nothing is under way in fine weather.
  void settle() {
    for (int i = 0; i < 50; ++i) turn();
  }
  [[nodiscard]] SessionStatus shake_hands(const ClientOptions& options = {}) {
    peer_->speak_tls(options);
    transport_->start_tls(tls::Session::accept(*server_context()));
    SessionStatus status = SessionStatus::need_input;
    act = [&] {
      if (status == SessionStatus::need_input) status = transport_->drive_handshake();
    };
    EXPECT_TRUE(turn_until([&] { return status != SessionStatus::need_input; }));
    act = nullptr;
    if (status == SessionStatus::ok) {
      EXPECT_TRUE(turn_until([&] { return peer_->is_secure(); }));
    }
    settle();
    static_cast<void>(peer_->take_records());
    return status;
  }
  void send(size_t size) {
    transport_->write(as_bytes(std::string(size, 'x')));
    transport_->flush();
    EXPECT_TRUE(turn_until([&] { return peer_->heard().size() == size; }));
    static_cast<void>(peer_->take_heard());
  }
  void stream_until_records_are_full() {
    send(size_t{limits::tls_small_records} * limits::tls_small_record_bytes);
    static_cast<void>(peer_->take_records());
  }
  // Nothing happens for that long.
  void pass(Duration time) {
    for (const Instant end = loop_->now() + time; loop_->now() < end;) loop_->turn(end - loop_->now());
  }
  // Everything that is readable now.
  std::string read_all() {
    std::string text;
    for (ConstBytes bytes = transport_->readable(); !bytes.empty(); bytes = transport_->readable()) {
      text += as_text(bytes);
      transport_->consume(bytes.size());
    }
    return text;
  }

  Transport& transport() { return *transport_; }
  Peer& peer() { return *peer_; }
  io::Loop& loop() { return *loop_; }
  // Send operations so far.
  [[nodiscard]] uint64_t sends() { return world_.kernel().send_count(); }

  std::function<void()> act;  // what the owner does when it is told of a change
  unsigned changes = 0;

 private:
  static void on_change(void* self) {
    auto& world = *static_cast<TransportInWorld*>(self);
    ++world.changes;
    if (world.act) world.act();
  }
  void turn() {
    peer_->move();
    loop_->turn(1ms);
    peer_->move();
  }

  sim::World world_;
  std::unique_ptr<io::Loop> loop_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<Peer> peer_;
};

// --- Plain -----------------------------------------------------------------------------------------

TEST(PlainTransport, IsItsStreamWithoutACopy) {
  TransportInWorld world;
  Transport& transport = world.transport();
  EXPECT_FALSE(transport.is_tls());
  world.peer().say("question");
  ASSERT_TRUE(world.turn_until([&] { return transport.readable().size() == 8; }));
  EXPECT_EQ(transport.readable().data(), transport.stream().received().data());
  transport.consume(5);
  EXPECT_EQ(as_text(transport.readable()), "ion");
  transport.consume(3);
  EXPECT_TRUE(transport.readable().empty());

  transport.write(as_bytes("ans"));
  transport.sink().append(as_bytes("wer"));
  EXPECT_EQ(transport.stream().unsent_bytes(), 6U);
  EXPECT_EQ(transport.writable_bytes(), transport.stream().writable_bytes());
  world.settle();
  EXPECT_EQ(world.peer().heard(), "") << "it was not flushed";
  transport.flush();
  ASSERT_TRUE(world.turn_until([&] { return world.peer().heard() == "answer"; }));
  EXPECT_TRUE(transport.has_sent_all());
}

TEST(PlainTransport, IsAtItsEndWhenEverythingBeforeTheFinWasConsumed) {
  TransportInWorld world;
  world.peer().say("all I have");
  world.peer().finish();
  ASSERT_TRUE(world.turn_until([&] { return world.transport().stream().has_receive_ended(); }));
  EXPECT_FALSE(world.transport().is_at_end());
  EXPECT_EQ(world.read_all(), "all I have");
  EXPECT_TRUE(world.transport().is_at_end());
  EXPECT_FALSE(world.transport().is_truncated());
}

void expect_truncated_by_a_reset(TransportInWorld& world) {
  world.peer().reset();
  ASSERT_TRUE(world.turn_until([&] { return world.transport().is_at_end(); }));
  EXPECT_TRUE(world.transport().is_truncated());
  world.transport().write(as_bytes("anybody there?"));
  world.transport().flush();
  EXPECT_TRUE(world.turn_until([&] { return world.transport().has_send_failed(); }));
}

TEST(PlainTransport, IsTruncatedByAReset) {
  TransportInWorld world;
  world.settle();
  expect_truncated_by_a_reset(world);
}

TEST(PlainTransport, FinishesWithFinAfterEverythingThatWasWritten) {
  TransportInWorld world;
  world.transport().write(as_bytes(std::string(100'000, 'x')));
  world.transport().finish_writing();
  ASSERT_TRUE(world.turn_until([&] { return world.peer().has_heard_fin(); }));
  EXPECT_EQ(world.peer().heard().size(), 100'000U);
  world.peer().say("thanks");
  EXPECT_TRUE(world.turn_until([&] { return as_text(world.transport().readable()) == "thanks"; }));
}

// --- The handshake ---------------------------------------------------------------------------------

class HandshakeInPieces : public testing::TestWithParam<std::tuple<int, size_t>> {};

TEST_P(HandshakeInPieces, IsDrivenByWhateverHasArrived) {
  const auto& [version, piece] = GetParam();
  TransportInWorld world;
  world.peer().piece_max = piece;
  ASSERT_EQ(world.shake_hands({.max_version = version}), SessionStatus::ok);
  EXPECT_TRUE(world.transport().is_tls());
  EXPECT_EQ(world.transport().session()->protocol_version(), version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3");
  world.peer().say("ping");
  ASSERT_TRUE(world.turn_until([&] { return as_text(world.transport().readable()) == "ping"; }));
  world.transport().write(as_bytes("pong"));
  world.transport().flush();
  EXPECT_TRUE(world.turn_until([&] { return world.peer().heard() == "pong"; }));
}

INSTANTIATE_TEST_SUITE_P(, HandshakeInPieces,
                         testing::Combine(testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                                          testing::Values(size_t{1}, size_t{7}, size_t{100}, SIZE_MAX)));

// With TLS 1.3 a client may ask together with its Finished.
TEST(TlsTransport, LeavesWhatFollowsTheHandshakeForReading) {
  TransportInWorld world;
  Peer& peer = world.peer();
  // The peer says it as soon as its side of the handshake is done, before the transport has heard of that.
  peer.speak_tls({});
  Transport& transport = world.transport();
  transport.start_tls(tls::Session::accept(*server_context()));
  SessionStatus status = SessionStatus::need_input;
  unsigned ok_count = 0;
  bool was_said = false;
  world.act = [&] {
    if (status != SessionStatus::need_input) return;
    status = transport.drive_handshake();
    ok_count += status == SessionStatus::ok ? 1 : 0;
  };
  ASSERT_TRUE(world.turn_until([&] {
    if (!was_said && peer.tls().handshake()) {
      was_said = true;
      peer.say("GET / HTTP/1.1\r\n\r\n");
    }
    return status != SessionStatus::need_input;
  }));
  EXPECT_EQ(ok_count, 1U);
  EXPECT_TRUE(was_said);
  EXPECT_TRUE(world.turn_until([&] { return as_text(transport.readable()) == "GET / HTTP/1.1\r\n\r\n"; }));
}

// What has arrived may be in several pieces, and nothing more will come before it is answered.
TEST(TlsTransport, ShakesHandsOverAllThatHasArrived) {
  TransportInWorld world;
  Transport& transport = world.transport();
  world.peer().speak_tls({});
  world.peer().piece_max = 100;
  const io::ReceiveQueue& queue = transport.stream().receive_queue();
  ASSERT_TRUE(world.turn_until([&] { return queue.size() >= 100; }));
  ASSERT_TRUE(world.loop().receive_buffers().reclaim()) << "what follows is another piece";
  world.settle();
  ASSERT_LT(queue.front().size(), queue.size());
  transport.start_tls(tls::Session::accept(*server_context()));
  EXPECT_EQ(transport.drive_handshake(), SessionStatus::need_input);
  EXPECT_TRUE(queue.empty());
  EXPECT_TRUE(world.turn_until([&] { return world.peer().is_secure(); }));
}

TEST(TlsTransport, SendsTheAlertOfAHandshakeThatFailedAndFinNothingElse) {
  TransportInWorld world;
  ASSERT_EQ(world.shake_hands({.max_version = TLS1_2_VERSION, .tls12_ciphers = "AES128-SHA:@SECLEVEL=0"}),
            SessionStatus::failed);
  EXPECT_FALSE(world.transport().session()->error_text().empty());
  EXPECT_FALSE(world.peer().tls().handshake());
  EXPECT_EQ(world.peer().tls().received_alert(), kHandshakeFailure);
  world.transport().finish_writing();
  ASSERT_TRUE(world.turn_until([&] { return world.peer().has_heard_fin(); }));
  EXPECT_EQ(world.peer().take_records().size(), 0U) << "the alert was all";
}

// --- Plaintext -------------------------------------------------------------------------------------

// The owner acts only when it is told of a change: whatever it waits for must be told.
TEST(TlsTransport, CarriesPlaintextBothWaysInAnyWeather) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    TransportInWorld world(seed, sim::rough_weather());
    Transport& transport = world.transport();
    Peer& peer = world.peer();
    Random random(seed);
    ASSERT_EQ(world.shake_hands({.max_version = seed % 2 == 0 ? TLS1_2_VERSION : TLS1_3_VERSION}), SessionStatus::ok);

    const std::string question = random_text(200'000 + random.below(20'000), seed);
    const std::string answer = random_text(300'000 + random.below(20'000), seed + 1'000);
    std::string_view unsaid = question;
    std::string_view unwritten = answer;
    std::string received;
    world.act = [&] {
      for (ConstBytes bytes = transport.readable(); !bytes.empty(); bytes = transport.readable()) {
        const size_t size = 1 + random.below(static_cast<uint32_t>(bytes.size()));
        received += as_text(bytes.first(size));
        transport.consume(size);
      }
      while (!unwritten.empty() && transport.writable_bytes() > 0) {
        const size_t size = std::min<size_t>({unwritten.size(), transport.writable_bytes(), 1 + random.below(20'000)});
        if (random.below(2) == 0) {
          transport.write(as_bytes(unwritten.substr(0, size)));
        } else {
          transport.sink().append(as_bytes(unwritten.substr(0, size)));
        }
        unwritten.remove_prefix(size);
        if (random.below(3) == 0) transport.flush();
      }
      transport.flush();
    };
    world.act();
    ASSERT_TRUE(world.turn_until([&] {
      peer.piece_max = 1 + random.below(10'000);
      if (const size_t size = std::min<size_t>(unsaid.size(), random.below(20'000)); peer.has_said_all()) {
        peer.say(unsaid.substr(0, size));
        unsaid.remove_prefix(size);
      }
      return received.size() >= question.size() && peer.heard().size() >= answer.size();
    })) << received.size()
        << " of " << question.size() << " and " << peer.heard().size() << " of " << answer.size();
    EXPECT_TRUE(received == question);
    EXPECT_TRUE(peer.heard() == answer);

    peer.tls().send_close_notify();
    transport.finish_writing();
    ASSERT_TRUE(world.turn_until([&] { return transport.is_at_end() && peer.has_heard_fin(); }));
    EXPECT_FALSE(transport.is_truncated());
    EXPECT_TRUE(peer.tls().got_close_notify());
    EXPECT_EQ(world.loop().chunks().taken_count(), 0U) << "nothing is in motion any more";
  }
}

TEST(TlsTransport, MayBeReadInAnySteps) {
  TransportInWorld world;
  ASSERT_EQ(world.shake_hands(), SessionStatus::ok);
  world.peer().say("one");
  world.peer().say(" and two");
  ASSERT_TRUE(world.turn_until([&] { return world.transport().stream().received().size() > 50; }));
  EXPECT_EQ(as_text(world.transport().readable()), "one and two") << "two records, one piece";
  world.transport().consume(0);
  world.transport().consume(4);
  EXPECT_EQ(as_text(world.transport().readable()), "and two");
  world.transport().consume(7);
  EXPECT_TRUE(world.transport().readable().empty());
  EXPECT_EQ(world.loop().chunks().taken_count(), 0U) << "held only while it has bytes";
}

TEST(TlsTransport, GathersWhatIsWrittenIntoOneRecordPerFlush) {
  TransportInWorld world;
  ASSERT_EQ(world.shake_hands(), SessionStatus::ok);
  Transport& transport = world.transport();
  transport.sink().append(as_bytes("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"));
  for (const char c : std::string_view("hello")) transport.write(as_bytes({&c, 1}));
  EXPECT_FALSE(transport.has_sent_all());
  EXPECT_EQ(transport.stream().unsent_bytes(), 0U) << "it was encrypted before the flush";
  transport.flush();
  ASSERT_TRUE(world.turn_until([&] { return transport.has_sent_all() && world.peer().heard().ends_with("hello"); }));
  EXPECT_EQ(world.peer().take_records(), std::vector{world.peer().take_heard().size() + kRecordOverhead});

  transport.flush();
  world.settle();
  EXPECT_TRUE(world.peer().take_records().empty()) << "there was nothing to flush";
  for (int i = 0; i < 3; ++i) {
    transport.write(as_bytes("chunk"));
    transport.flush();
  }
  ASSERT_TRUE(world.turn_until([&] { return world.peer().heard() == "chunkchunkchunk"; }));
  EXPECT_EQ(world.peer().take_records(), (std::vector<size_t>(3, 5 + kRecordOverhead)));
}

TEST(TlsTransport, FillsARecordBeforeItBeginsTheNext) {
  TransportInWorld world;
  ASSERT_EQ(world.shake_hands(), SessionStatus::ok);
  world.stream_until_records_are_full();
  const std::string text = random_text(2 * limits::tls_plaintext_bytes + 7232, 1);
  for (const size_t piece : {size_t{1000}, size_t{9000}, limits::tls_plaintext_bytes + 20}) {
    for (size_t at = 0; at < text.size(); at += piece) {
      if ((at / piece) % 2 == 0) {
        world.transport().write(as_bytes(text.substr(at, piece)));
      } else {
        world.transport().sink().append(as_bytes(text.substr(at, piece)));
      }
    }
    world.transport().flush();
    ASSERT_TRUE(world.turn_until([&] { return world.peer().heard().size() == text.size(); }));
    EXPECT_TRUE(world.peer().take_heard() == text);
    EXPECT_EQ(world.peer().take_records(),
              (std::vector<size_t>{limits::tls_plaintext_bytes + kRecordOverhead,
                                   limits::tls_plaintext_bytes + kRecordOverhead, 7232 + kRecordOverhead}));
  }
}

// What is inside of the records in which that much plaintext comes.
std::vector<size_t> records_of(TransportInWorld& world, size_t size) {
  world.send(size);
  std::vector<size_t> sizes = world.peer().take_records();
  for (size_t& record : sizes) record -= kRecordOverhead;
  return sizes;
}

TEST(TlsTransport, BeginsWithSmallRecordsAndStreamsFullOnes) {
  TransportInWorld world;
  ASSERT_EQ(world.shake_hands(), SessionStatus::ok);
  constexpr size_t kSmall = limits::tls_small_record_bytes;
  constexpr size_t kFull = limits::tls_plaintext_bytes;
  EXPECT_EQ(records_of(world, 1000), std::vector{size_t{1000}}) << "a short response is one record";
  EXPECT_EQ(records_of(world, kSmall), std::vector{kSmall});
  EXPECT_EQ(records_of(world, 10'000), (std::vector{kSmall, kSmall, 10'000 - 2 * kSmall}));

  std::vector<size_t> expected(limits::tls_small_records - 3, kSmall);
  const size_t small_ones = expected.size() * kSmall;
  expected.insert(expected.end(), {kFull, kFull, 4321});
  EXPECT_EQ(records_of(world, small_ones + 2 * kFull + 4321), expected);
  EXPECT_EQ(records_of(world, kFull), std::vector{kFull});
}

TEST(TlsTransport, DoesNotGatherWhatFillsRecords) {
  TransportInWorld world;
  ASSERT_EQ(world.shake_hands(), SessionStatus::ok);
  world.stream_until_records_are_full();
  constexpr size_t kFull = limits::tls_plaintext_bytes;
  const std::string text = random_text(100 + 2 * kFull + 50, 1);
  world.transport().write(as_bytes(text.substr(0, 100)));
  world.transport().write(as_bytes(text.substr(100)));
  EXPECT_EQ(world.transport().stream().unsent_bytes(), 100 + 2 * kFull + 3 * (5 + kRecordOverhead));
  world.transport().flush();
  ASSERT_TRUE(world.turn_until([&] { return world.peer().heard().size() == text.size(); }));
  EXPECT_TRUE(world.peer().take_heard() == text);
  EXPECT_EQ(world.peer().take_records(), (std::vector<size_t>{100 + kRecordOverhead, kFull + kRecordOverhead,
                                                              kFull + kRecordOverhead, 50 + kRecordOverhead}));
}

TEST(TlsTransport, HasSmallRecordsAgainAfterItWasSilent) {
  TransportInWorld world;
  ASSERT_EQ(world.shake_hands(), SessionStatus::ok);
  world.stream_until_records_are_full();
  const std::vector full{limits::tls_plaintext_bytes};
  for (int i = 0; i < 3; ++i) {
    world.pass(limits::tls_small_records_after - 100ms);
    EXPECT_EQ(records_of(world, limits::tls_plaintext_bytes), full) << "it has not been silent for long";
  }
  world.pass(limits::tls_small_records_after + 2ms);
  EXPECT_EQ(records_of(world, limits::tls_plaintext_bytes), std::vector<size_t>(4, limits::tls_small_record_bytes));
}

TEST(TlsTransport, SendsAllRecordsOfAFlushAtOnce) {
  sim::Weather weather = sim::fine_weather();
  weather.socket_buffer_max = 1024 * 1024;
  TransportInWorld world(1, weather);
  ASSERT_EQ(world.shake_hands(), SessionStatus::ok);
  uint64_t before = world.sends();
  world.send(16'000);
  EXPECT_EQ(world.sends() - before, 1U) << "4 small records";

  // As much as a stream takes at a time, in pieces as they are received, and again when that has gone.
  before = world.sends();
  const std::string piece(limits::receive_buffer_bytes, 'x');
  size_t left = 256 * 1024;
  world.act = [&] {
    while (left > 0 && world.transport().writable_bytes() > 0) {
      const size_t size = std::min({left, piece.size(), world.transport().writable_bytes()});
      world.transport().write(as_bytes(piece).first(size));
      left -= size;
    }
    world.transport().flush();
  };
  world.act();
  ASSERT_TRUE(world.turn_until([&] { return world.peer().heard().size() == 256 * 1024; }));
  EXPECT_EQ(world.sends() - before, 256 * 1024 / limits::write_high_bytes + 1) << "the last one for the overhead";
}

// Contiguous room is what a writer of heads needs, and a head may be larger than a record.
TEST(TlsTransport, CutsALargeHeadIntoRecordsAndKeepsItsPlace) {
  TransportInWorld world;
  ASSERT_EQ(world.shake_hands(), SessionStatus::ok);
  world.stream_until_records_are_full();
  Transport& transport = world.transport();
  const std::string before(100, 'b');
  const std::string head = random_text(50'000, 1);
  const std::string after(200, 'a');
  transport.write(as_bytes(before));
  const ByteSink sink = transport.sink();
  const MutableBytes room = sink.reserve(sink.owner, head.size());
  ASSERT_GE(room.size(), head.size());
  std::memcpy(room.data(), head.data(), head.size());
  sink.commit(sink.owner, head.size());
  transport.write(as_bytes(after));
  transport.flush();
  ASSERT_TRUE(world.turn_until([&] { return world.peer().heard().size() == 50'300; }));
  EXPECT_TRUE(world.peer().heard() == before + head + after);
  const size_t whole = limits::tls_plaintext_bytes;
  EXPECT_EQ(
      world.peer().take_records(),
      (std::vector<size_t>{100 + kRecordOverhead, whole + kRecordOverhead, whole + kRecordOverhead,
                           whole + kRecordOverhead, 50'000 - 3 * whole + kRecordOverhead, 200 + kRecordOverhead}));
}

TEST(TlsTransport, UsesWhatIsLeftOfARecordToItsLastByte) {
  TransportInWorld world;
  ASSERT_EQ(world.shake_hands(), SessionStatus::ok);
  world.stream_until_records_are_full();
  const size_t whole = limits::tls_plaintext_bytes;
  for (const size_t size : {whole - 100, whole - 99}) {
    world.transport().write(as_bytes(std::string(100, 'a')));
    world.transport().sink().append(as_bytes(std::string(size, 'b')));
    world.transport().flush();
    ASSERT_TRUE(world.turn_until([&] { return world.peer().heard().size() == 100 + size; }));
    EXPECT_TRUE(world.peer().take_heard() == std::string(100, 'a') + std::string(size, 'b'));
    EXPECT_EQ(world.peer().take_records().size(), size == whole - 100 ? 1U : 2U) << size;
  }
}

TEST(TlsTransport, HoldsNothingWhenNothingWasPutIntoTheRoom) {
  TransportInWorld world;
  ASSERT_EQ(world.shake_hands(), SessionStatus::ok);
  const ByteSink sink = world.transport().sink();
  static_cast<void>(sink.reserve(sink.owner, 100));
  sink.commit(sink.owner, 0);
  EXPECT_EQ(world.loop().chunks().taken_count(), 0U);
  EXPECT_TRUE(world.transport().has_sent_all());
}

// A connection may end at any moment: the destructor of the world counts what was not given back.
TEST(TlsTransport, GivesBackWhatItHoldsWhenItEnds) {
  TransportInWorld world;
  ASSERT_EQ(world.shake_hands(), SessionStatus::ok);
  world.peer().say("never consumed");
  ASSERT_TRUE(world.turn_until([&] { return !world.transport().readable().empty(); }));
  world.transport().write(as_bytes("never flushed"));
  EXPECT_EQ(world.loop().chunks().taken_count(), 2U);
}

// --- Flow control ----------------------------------------------------------------------------------

TEST(TlsTransport, SaysHowMuchMayBeWritten) {
  TransportInWorld world;
  ASSERT_EQ(world.shake_hands(), SessionStatus::ok);
  Transport& transport = world.transport();
  world.peer().is_listening = false;
  EXPECT_EQ(transport.writable_bytes(), limits::write_high_bytes);
  transport.write(as_bytes(std::string(10'000, 'x')));
  EXPECT_EQ(transport.writable_bytes(), limits::write_high_bytes - 10'000) << "what is gathered counts";

  size_t written = 10'000;
  unsigned blocked_turns = 0;
  ASSERT_TRUE(world.turn_until([&] {
    const size_t size = std::min<size_t>(transport.writable_bytes(), 5'000);
    transport.write(as_bytes(std::string(size, 'x')));
    transport.flush();
    written += size;
    return (blocked_turns = size == 0 ? blocked_turns + 1 : 0) > 100;
  })) << "a peer that takes nothing is no obstacle";
  EXPECT_LE(transport.stream().unsent_bytes(), limits::write_high_bytes + tls::Session::overhead_bytes_max(5'000));

  const unsigned before = world.changes;
  world.peer().is_listening = true;
  ASSERT_TRUE(world.turn_until([&] { return world.peer().heard().size() == written; }));
  EXPECT_GT(world.changes, before) << "the owner waits to be told";
  EXPECT_EQ(transport.writable_bytes(), limits::write_high_bytes);
}

// Reading may have to write, so a peer that takes nothing is not heard until it does.
TEST(TlsTransport, ReadsOnWhenAPeerThatTookNothingTakesAgain) {
  TransportInWorld world;
  ASSERT_EQ(world.shake_hands(), SessionStatus::ok);
  Transport& transport = world.transport();
  world.peer().is_listening = false;
  const std::string much(600'000, 'x');
  transport.write(as_bytes(much));
  transport.flush();
  world.peer().say("last words");
  world.settle();
  EXPECT_GT(transport.stream().unsent_bytes(), limits::tls_unsent_bytes_max);
  EXPECT_FALSE(transport.stream().received().empty());
  EXPECT_TRUE(transport.readable().empty());
  EXPECT_FALSE(transport.is_at_end());

  std::string received;
  world.act = [&] { received += world.read_all(); };
  world.peer().is_listening = true;
  EXPECT_TRUE(world.turn_until([&] { return received == "last words"; }));
  EXPECT_TRUE(world.turn_until([&] { return world.peer().heard().size() == much.size(); }));
}

TEST(TlsTransport, AnswersAKeyUpdateWithoutBeingAskedToWrite) {
  TransportInWorld world;
  ASSERT_EQ(world.shake_hands(), SessionStatus::ok);
  world.peer().tls().send_key_update();
  world.peer().say("with the new key");
  std::string received;
  world.act = [&] { received += world.read_all(); };
  ASSERT_TRUE(world.turn_until([&] { return received == "with the new key"; }));
  world.settle();
  EXPECT_EQ(world.peer().take_records().size(), 1U) << "the key update of the other direction (RFC 8446 4.6.3)";
  world.transport().write(as_bytes("understood"));
  world.transport().flush();
  EXPECT_TRUE(world.turn_until([&] { return world.peer().heard() == "understood"; }));
}

// --- The end ---------------------------------------------------------------------------------------

TEST(TlsTransport, EndsInOrderWithACloseNotifyAndMayStillWrite) {
  TransportInWorld world;
  ASSERT_EQ(world.shake_hands(), SessionStatus::ok);
  Transport& transport = world.transport();
  world.peer().say("all I have");
  world.peer().tls().send_close_notify();
  ASSERT_TRUE(world.turn_until([&] { return as_text(transport.readable()) == "all I have"; }));
  EXPECT_FALSE(transport.is_at_end());
  transport.consume(10);
  ASSERT_TRUE(world.turn_until([&] { return transport.is_at_end(); })) << "FIN has not come, and need not";
  EXPECT_FALSE(transport.is_truncated());
  EXPECT_FALSE(transport.has_read_failed());
  transport.write(as_bytes("thanks"));
  transport.flush();
  EXPECT_TRUE(world.turn_until([&] { return world.peer().heard() == "thanks"; }));
}

// RFC 8446 6.1: without close_notify nobody knows whether an attacker has cut something off.
TEST(TlsTransport, IsTruncatedByAFinWithoutCloseNotify) {
  TransportInWorld world;
  ASSERT_EQ(world.shake_hands(), SessionStatus::ok);
  world.peer().say("half of wh");
  world.peer().finish();
  ASSERT_TRUE(world.turn_until([&] { return world.transport().stream().has_receive_ended(); }));
  EXPECT_FALSE(world.transport().is_at_end()) << "what arrived in order is not lost";
  EXPECT_EQ(world.read_all(), "half of wh");
  EXPECT_TRUE(world.transport().is_at_end());
  EXPECT_TRUE(world.transport().is_truncated());
}

TEST(TlsTransport, IsTruncatedByAFinInTheMiddleOfARecord) {
  TransportInWorld world;
  ASSERT_EQ(world.shake_hands(), SessionStatus::ok);
  world.peer().tls().write("never complete");
  const std::string record = world.peer().tls().take_output();
  world.peer().say_on_the_wire(record.substr(0, record.size() - 1));
  world.peer().finish();
  ASSERT_TRUE(world.turn_until([&] { return world.transport().is_at_end(); }));
  EXPECT_TRUE(world.transport().is_truncated());
}

TEST(TlsTransport, IsTruncatedByAReset) {
  TransportInWorld world;
  ASSERT_EQ(world.shake_hands(), SessionStatus::ok);
  expect_truncated_by_a_reset(world);
}

TEST(TlsTransport, TellsThePeerOfABadRecordAndReadsNothingMore) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TransportInWorld world;
    ASSERT_EQ(world.shake_hands({.max_version = version}), SessionStatus::ok);
    Transport& transport = world.transport();
    world.peer().tls().write("good");
    std::string wire = world.peer().tls().take_output();
    world.peer().tls().write("bad");
    wire += world.peer().tls().take_output();
    wire.back() = static_cast<char>(wire.back() ^ 1);
    world.peer().say_on_the_wire(wire);
    ASSERT_TRUE(world.turn_until([&] { return transport.stream().received().size() == wire.size(); }));
    EXPECT_EQ(as_text(transport.readable()), "good");
    EXPECT_FALSE(transport.is_at_end()) << "what was good is still to be consumed";
    transport.consume(4);
    EXPECT_TRUE(transport.is_at_end());
    EXPECT_TRUE(transport.is_truncated());
    EXPECT_TRUE(transport.has_read_failed());

    // The alert goes without another flush.
    EXPECT_TRUE(world.turn_until([&] { return world.peer().tls().received_alert() == kBadRecordMac; }));
    world.peer().say_on_the_wire("whatever");
    world.settle();
    EXPECT_TRUE(transport.readable().empty());
    transport.write(as_bytes("in vain"));
    transport.flush();
    EXPECT_TRUE(transport.has_send_failed()) << "an alert is the last record of its direction";
  }
}

TEST(TlsTransport, FinishesWithCloseNotifyAndFinAfterEverythingThatWasWritten) {
  TransportInWorld world;
  ASSERT_EQ(world.shake_hands(), SessionStatus::ok);
  Transport& transport = world.transport();
  const std::string text = random_text(100'000, 1);
  transport.write(as_bytes(text));  // the last of it is gathered, and nobody has flushed
  transport.finish_writing();
  EXPECT_FALSE(transport.has_sent_all());
  ASSERT_TRUE(world.turn_until([&] { return world.peer().has_heard_fin(); }));
  EXPECT_TRUE(world.peer().heard() == text);
  EXPECT_TRUE(world.peer().tls().got_close_notify());
  EXPECT_TRUE(transport.has_sent_all());
  world.peer().say("thanks");
  EXPECT_TRUE(world.turn_until([&] { return as_text(transport.readable()) == "thanks"; })) << "it still reads";
}

// Its end is known, but not what came before it.
TEST(TlsTransport, IsNotAtItsEndWhileAPeerThatTakesNothingIsNotRead) {
  TransportInWorld world;
  ASSERT_EQ(world.shake_hands(), SessionStatus::ok);
  Transport& transport = world.transport();
  world.peer().is_listening = false;
  const std::string much(600'000, 'x');
  transport.write(as_bytes(much));
  transport.flush();
  world.peer().say("last words");
  world.peer().tls().send_close_notify();
  world.peer().finish();
  ASSERT_TRUE(world.turn_until([&] { return transport.stream().has_receive_ended(); }));
  ASSERT_GT(transport.stream().unsent_bytes(), limits::tls_unsent_bytes_max);
  EXPECT_FALSE(transport.is_at_end());
  world.peer().is_listening = true;
  EXPECT_TRUE(world.turn_until([&] { return as_text(transport.readable()) == "last words"; }));
  transport.consume(10);
  EXPECT_TRUE(transport.is_at_end());
  EXPECT_FALSE(transport.is_truncated());
}

}  // namespace
}  // namespace sluice::transport
