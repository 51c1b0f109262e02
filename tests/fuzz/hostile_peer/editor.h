// Between a peer that behaves and the session under test: takes the peer's records apart, lets the fuzzer's program
// change them, and puts them on the wire again. It has the peer's keys, so that what is changed inside of records is
// as genuine as what a hostile peer could send; what is changed outside of them is what anybody on the way could do.
#pragma once

#include "program.h"
#include "record_protection.h"
#include "wire.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::fuzz {

// Where the editor gets the peer's keys from.
class PeerKeys {
 public:
  virtual ~PeerKeys() = default;
  [[nodiscard]] virtual bool is_tls_1_3() const = 0;
  // That protect what the peer sends: kHandshake, and kApplication in TLS 1.3. Nothing: there are none yet, or
  // RecordProtection does not know the suite.
  [[nodiscard]] virtual std::optional<RecordProtection> keys(Epoch epoch) const = 0;
};

class Editor {
 public:
  Editor(Program& program, const PeerKeys& keys) : program_(program), keys_(keys) {}

  // What the peer sends; one byte of the program for each record says what becomes of it.
  void pass(std::string_view output);
  // What waits for the next record waits no longer.
  void flush();
  // Something of the program's making, in between.
  void inject();

  // What is new on the wire.
  [[nodiscard]] std::string_view take();
  [[nodiscard]] const Wire& wire() const { return wire_; }

  // The messages of the peer's handshake.
  [[nodiscard]] const HandshakeStream& handshake() const { return handshake_; }
  // Nothing was changed so far that the session might take offence at.
  [[nodiscard]] bool is_faithful() const { return is_faithful_; }
  // The peer's keys were known wherever it has used some.
  [[nodiscard]] bool sees_everything() const { return !has_opaque_records_; }

 private:
  struct Record {
    uint16_t version = 0x0303;
    Epoch epoch = kPlain;
    Content content;
    bool is_opaque = false;  // protected by keys that are not known: `content` is as it was on the wire
    size_t padding = 0;
  };
  enum class Holding : uint8_t { nothing, to_be_overtaken, to_be_joined };

  [[nodiscard]] Record read(std::string_view bytes);
  [[nodiscard]] std::optional<Content> open(std::string_view bytes);

  void edit(Record record);
  void change(Record record);
  void change_ciphertext(const Record& record);
  void split(const Record& record);
  [[nodiscard]] bool join(Record& held, Record& record);

  void send(const Record& record);
  void send_sealed(const Record& record, std::string_view bytes);
  [[nodiscard]] std::string seal(const Record& record);
  [[nodiscard]] RecordProtection* writer(Epoch epoch);
  [[nodiscard]] Epoch current_epoch() const;
  void follow_key_updates(std::string_view content);

  Program& program_;
  const PeerKeys& keys_;
  std::string unread_;  // of the peer's output: less than a record
  Wire wire_;
  size_t taken_ = 0;
  HandshakeStream handshake_;
  Record held_;
  Holding holding_ = Holding::nothing;
  std::vector<Content> past_;  // what the peer has sent, to be sent again
  bool is_faithful_ = true;
  bool has_opaque_records_ = false;

  // What the peer has come to,
  std::optional<RecordProtection> reader_;
  Epoch read_epoch_ = kPlain;
  bool saw_change_cipher_spec_ = false;
  // and what the session has been led to.
  std::vector<std::optional<RecordProtection>> writers_;  // by epoch
  Epoch application_epoch_ = kApplication;                // TLS 1.3
  std::string unfinished_message_;                        // TLS 1.3, after the handshake
};

}  // namespace sluice::fuzz
