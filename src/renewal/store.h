// The files of --state-dir: what sluice has obtained, and what it needs to go on after any end of the process.
//
//   lock                        held by the process that manages certificates here (flock(2))
//   secrets/NAMESPACE.NAME.yaml    issued certificates with their keys: Secrets, which are read with the documents
//   certificates/NAMESPACE.NAME.json  renewal/record.h
//   accounts/DIGEST.json        ACME accounts: key and URL
//
// Directories have mode 0700, files 0600. A file is written whole, synchronised and renamed (base/write_file.h): a
// process that is killed leaves the old one or the new one. One thread.
#pragma once

#include "base/result.h"
#include "renewal/record.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::renewal {

// An ACME account at one server.
struct StoredAccount {
  std::string server;        // URL of its directory
  std::string url;           // empty: the key is there, the account may be
  std::string key_pem;       // PKCS#8; wiped at the end
  std::string next_key_pem;  // while the key is changed: it may be either; wiped at the end

  StoredAccount() = default;
  StoredAccount(const StoredAccount&) = default;
  StoredAccount(StoredAccount&&) noexcept = default;
  StoredAccount& operator=(const StoredAccount&) = default;
  StoredAccount& operator=(StoredAccount&&) noexcept = default;
  ~StoredAccount();
};

struct ObjectName {
  std::string name_space;
  std::string name;
  [[nodiscard]] std::string key() const { return name_space + "/" + name; }
  friend auto operator<=>(const ObjectName&, const ObjectName&) = default;
};

class Store {
 public:
  // Makes the directories. Fails with the path, the cause and the remedy: no permission, a file in their place, a
  // directory that others may write into.
  [[nodiscard]] static Result<Store> open(std::string directory);

  Store(Store&& other) noexcept;
  Store& operator=(Store&& other) noexcept;
  ~Store();  // gives the lock up

  // Where the issued Secrets are: one more folder of documents.
  [[nodiscard]] static std::string secrets_folder(std::string_view directory);

  // Whether this process may change what is here, from now on until the end; false: another one does. Asked again,
  // since that may end.
  [[nodiscard]] bool take_lock();

  // --- Certificates ---
  // Nothing: there is none, or none that can be read, which is logged: it is obtained anew.
  [[nodiscard]] std::optional<Record> read_record(const ObjectName& certificate) const;
  [[nodiscard]] Status write_record(const ObjectName& certificate, const Record& record);
  [[nodiscard]] std::vector<ObjectName> certificates() const;  // sorted
  [[nodiscard]] Status remove_record(const ObjectName& certificate);

  // --- Secrets ---
  // The YAML text; nothing: there is none.
  [[nodiscard]] std::optional<std::string> read_secret(const ObjectName& secret) const;
  [[nodiscard]] Status write_secret(const ObjectName& secret, std::string_view yaml);
  [[nodiscard]] Status remove_secret(const ObjectName& secret);

  // --- Accounts ---
  // `id` is any text that names it: the server, and which key a document wants.
  [[nodiscard]] std::optional<StoredAccount> read_account(std::string_view id) const;
  [[nodiscard]] Status write_account(std::string_view id, const StoredAccount& account);

 private:
  explicit Store(std::string directory) : directory_(std::move(directory)) {}
  [[nodiscard]] std::string path_of(std::string_view folder, const ObjectName& object, std::string_view ending) const;
  [[nodiscard]] std::string account_path(std::string_view id) const;

  std::string directory_;
  int lock_ = -1;  // the open lock file; -1: not asked for yet, or another process has it
};

}  // namespace sluice::renewal
