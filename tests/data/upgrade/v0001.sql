BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE guard_baselines (
	table_name TEXT NOT NULL, 
	taken_at BIGINT NOT NULL, 
	rows INTEGER NOT NULL, 
	CONSTRAINT pk_guard_baselines PRIMARY KEY (table_name)
);
CREATE TABLE guard_chains (
	id TEXT NOT NULL, 
	count BIGINT NOT NULL, 
	head TEXT NOT NULL, 
	last_id TEXT NOT NULL, 
	checkpoint BIGINT NOT NULL, 
	checkpoint_digest TEXT NOT NULL, 
	CONSTRAINT pk_guard_chains PRIMARY KEY (id)
);
INSERT INTO "guard_chains" VALUES('01a20846-fe00-70d0-8ec3-a8a3b33688b7',3,'b591b1d9bba1b3acbc1edfc6029d3d390d083b51e6e1ec17cfa8816e4af5e0f8','01a20848-d2c0-72f9-aa72-974d493a155b',2,'b6d3d23be21044f38081419de3f7ae45200407e6ef05269077634d7527b0e480');
CREATE TABLE guard_checkpoints (
	number INTEGER NOT NULL, 
	made_at BIGINT NOT NULL, 
	heads TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	CONSTRAINT pk_guard_checkpoints PRIMARY KEY (number)
);
INSERT INTO "guard_checkpoints" VALUES(1,1795435380000000,'{"number":1,"by":"01a20846-fe00-70d0-8ec3-a8a3b33688b7","previous":"","state":{"acts":[1,"4a75b2592a3379d50071eb67664060907359d2821679edfb436820367fb67091"],"chains":{"01a20846-fe00-70d0-8ec3-a8a3b33688b7":[3,"b591b1d9bba1b3acbc1edfc6029d3d390d083b51e6e1ec17cfa8816e4af5e0f8","01a20848-d2c0-72f9-aa72-974d493a155b"]},"policy_sets":{"46688a3fb6c463aeea63564ac55f31303de3b8d0bfe4a21f7bc1d3642a278026":"5086c99fb6b2d15d0735a679f57166bd097ddd563eaf90ecea6276ecf0c613ef"}}}','60297676ed34d92a313b8ae902f2a346bd47acdc51be95a3cb58b772c8c40d70');
INSERT INTO "guard_checkpoints" VALUES(2,1795435380000000,'{"number":2,"by":"01a20846-fe00-70d0-8ec3-a8a3b33688b7","previous":"60297676ed34d92a313b8ae902f2a346bd47acdc51be95a3cb58b772c8c40d70","state":{"acts":[5,"65140f449993ee65d4b01836a88b90d1b61768b2d724bfa25cbd1a56a1060d4b"],"chains":{"01a20846-fe00-70d0-8ec3-a8a3b33688b7":[3,"b591b1d9bba1b3acbc1edfc6029d3d390d083b51e6e1ec17cfa8816e4af5e0f8","01a20848-d2c0-72f9-aa72-974d493a155b"]},"policy_sets":{"46688a3fb6c463aeea63564ac55f31303de3b8d0bfe4a21f7bc1d3642a278026":"5086c99fb6b2d15d0735a679f57166bd097ddd563eaf90ecea6276ecf0c613ef"}}}','b6d3d23be21044f38081419de3f7ae45200407e6ef05269077634d7527b0e480');
CREATE TABLE guard_decisions (
	id TEXT NOT NULL, 
	chain TEXT NOT NULL, 
	seq BIGINT NOT NULL, 
	digest TEXT NOT NULL, 
	decided_at BIGINT NOT NULL, 
	decision TEXT NOT NULL, 
	cause TEXT NOT NULL, 
	table_name TEXT NOT NULL, 
	record_id TEXT NOT NULL, 
	status INTEGER NOT NULL, 
	delivery_key TEXT, 
	public TEXT NOT NULL, 
	commitment TEXT NOT NULL, 
	private TEXT, 
	salt TEXT, 
	CONSTRAINT pk_guard_decisions PRIMARY KEY (id), 
	CONSTRAINT uq_guard_decisions_chain_seq UNIQUE (chain, seq), 
	CONSTRAINT uq_guard_decisions_record_id_delivery_key UNIQUE (record_id, delivery_key)
);
INSERT INTO "guard_decisions" VALUES('01a20846-fe00-70d1-af84-94e05f7245fd','01a20846-fe00-70d0-8ec3-a8a3b33688b7',0,'c3f5f7f584d28cd9d1bf27380cf139604e2e05dba5b877c7794fbd163737298e',1795435200000000,'allow','rules','mailbox','55555555-5555-4555-8555-555555555550',200,NULL,'{"operation":"update","mode":1,"stage":40,"correlation_id":"c1","initiating_user_id":"u1","rules":[],"policy_set":"46688a3fb6c463aeea63564ac55f31303de3b8d0bfe4a21f7bc1d3642a278026"}','f9d901001790cadc856822daffc9d242511bdee82ee577c30062100b3c201902','{"findings":[],"evaluated":["own-address-only/same-as-owner"],"before":{"emailaddress":"old@contoso.com"},"altered":{"emailaddress":"anna@contoso.com"},"sent":["emailaddress"],"request":{},"facts":{"new.owner.type":"user","new.owner.upn":"anna@contoso.com"},"sources":{}}','39ff01c660cfee0c925aff315eda086b');
INSERT INTO "guard_decisions" VALUES('01a20847-e860-727d-aa13-5ac4721f250c','01a20846-fe00-70d0-8ec3-a8a3b33688b7',1,'40be7d13c401a656886371f764c3f57944dd3d318bb0db652d5364293daf78cc',1795435260000000,'reject','rules','mailbox','55555555-5555-4555-8555-555555555551',200,NULL,'{"operation":"update","mode":1,"stage":40,"correlation_id":"c1","initiating_user_id":"u1","rules":["own-address-only/same-as-owner"],"policy_set":"46688a3fb6c463aeea63564ac55f31303de3b8d0bfe4a21f7bc1d3642a278026","obliged":true}','d95b4a5c75b050d46aeadf22c32f1cb4dd675bab1793b7b1dd29029a53acab03','{"findings":[{"policy":"own-address-only","rule":"same-as-owner","result":"fail","mode":"enforce","effect":"reject","severity":"critical","message":"ceo@contoso.com is not the address of the mailbox''s owner (anna@contoso.com).","help":"Set the address to the owner''s sign-in name.","exception":null,"error":null,"contributes":"reject","unknown":[]}],"evaluated":["own-address-only/same-as-owner"],"before":{"emailaddress":"old@contoso.com"},"altered":{"emailaddress":"ceo@contoso.com"},"sent":["emailaddress"],"request":{},"facts":{"new.owner.type":"user","new.owner.upn":"anna@contoso.com"},"sources":{}}','082d448d401712b652f3d97390680d7c');
INSERT INTO "guard_decisions" VALUES('01a20848-d2c0-72f9-aa72-974d493a155b','01a20846-fe00-70d0-8ec3-a8a3b33688b7',2,'b591b1d9bba1b3acbc1edfc6029d3d390d083b51e6e1ec17cfa8816e4af5e0f8',1795435320000000,'allow','rules','mailbox','55555555-5555-4555-8555-555555555552',200,NULL,'{"operation":"update","mode":1,"stage":40,"correlation_id":"c1","initiating_user_id":"u1","rules":[],"policy_set":"46688a3fb6c463aeea63564ac55f31303de3b8d0bfe4a21f7bc1d3642a278026"}','143fdf87fc517c5679384aa6e7570fdd4c05ac8bdc2e33ac2dab7d5c25fd291b',NULL,NULL);
CREATE TABLE guard_mirror (
	table_name TEXT NOT NULL, 
	record_id TEXT NOT NULL, 
	columns TEXT NOT NULL, 
	good TEXT NOT NULL, 
	owner_id TEXT, 
	address TEXT, 
	read_at BIGINT NOT NULL, 
	decision_id TEXT, 
	rested BOOLEAN NOT NULL, 
	name TEXT, 
	revision INTEGER NOT NULL, 
	CONSTRAINT pk_guard_mirror PRIMARY KEY (table_name, record_id)
);
INSERT INTO "guard_mirror" VALUES('mailbox','55555555-5555-4555-8555-555555555550','{"emailaddress":"anna@contoso.com"}','{"emailaddress":true}',NULL,'anna@contoso.com',1795435200000000,'01a20846-fe00-70d1-af84-94e05f7245fd',0,'Anna',1);
INSERT INTO "guard_mirror" VALUES('mailbox','55555555-5555-4555-8555-555555555552','{"emailaddress":"anna@contoso.com"}','{"emailaddress":true}',NULL,'anna@contoso.com',1795435320000000,'01a20848-d2c0-72f9-aa72-974d493a155b',0,'Anna',1);
CREATE TABLE guard_policy_sets (
	digest TEXT NOT NULL, 
	documents TEXT NOT NULL, 
	stored_at BIGINT NOT NULL, 
	CONSTRAINT pk_guard_policy_sets PRIMARY KEY (digest)
);
INSERT INTO "guard_policy_sets" VALUES('46688a3fb6c463aeea63564ac55f31303de3b8d0bfe4a21f7bc1d3642a278026','{"environment":null,"documents":{"fields.yaml":"# yaml-language-server: $schema=schema/catalogue.schema.json\n# The field catalogue: every field that a policy may name. `mailbox-guard policy schema` writes it\n# into the JSON Schemas, so that editors complete and explain the names.\n#\n# A field of a table is written with or without `new.`; `old.` is the value before the change.\n# `arrives` says how a value comes to be known. Without it a column comes in every delivery, and its change\n# brings one; owner.*, addressOwner.*, actor.* and facts.* are looked up (`fact`). An `image` column comes beside\n# the change of another, in the pre-image that docs/dataverse-setup.md registers. No rule may name what `never`\n# arrives. A folder''s own catalogue cannot say that the guard looks up more than it does.\n# `form` is what a text is (address, domain, id, person: an object id or an address): values that it can never hold\n# are complained of.\n# `effects` are what a rule on the entity may do; without it they are those of a record.\nmailbox:\n  effects: [reject, hold]\n  id: {type: string, arrives: image, caseless: true, form: id, doc: Id of the row itself}\n  address: {alias: emailaddress, doc: Address of the row by one name on every table}\n  approval: {alias: emailrouteraccessapproval, doc: Approval of the address by one name on every table}\n  name: {type: string, arrives: image, personal: true, doc: Display name}\n  emailaddress: {type: string, caseless: true, form: address, personal: true, doc: E-mail address that ties the row to an Exchange mailbox}\n  emailrouteraccessapproval: {type: choice, doc: Approval status of the address, values: {empty: 0, approved: 1, pending: 2, rejected: 3}}\n  isemailaddressapprovedbyo365admin: {type: boolean, arrives: image, doc: Set by the platform when a Microsoft 365 administrator approved}\n  testemailconfigurationscheduled: {type: boolean, doc: A Test & Enable is queued; it can approve by itself}\n  testemailconfigurationretrycount: {type: number, arrives: never, doc: How often the test was tried}\n  testmailboxaccesscompletedon: {type: datetime, arrives: never, doc: When the last test of access ended}\n  postponetestemailconfigurationuntil: {type: datetime, arrives: never, doc: The test is put off until then}\n  incomingemaildeliverymethod: {type: choice, doc: How mail comes in, values: {none: 0, outlook: 1, serverSide: 2, forward: 3}}\n  outgoingemaildeliverymethod: {type: choice, doc: How mail goes out, values: {none: 0, outlook: 1, serverSide: 2}}\n  actdeliverymethod: {type: choice, doc: \"How appointments, contacts and tasks are synchronised\", values: {outlook: 0, serverSide: 1, none: 2}}\n  incomingemailstatus: {type: choice, arrives: never, doc: Result of the last test of incoming mail, values: {notRun: 0, success: 1, failure: 2}}\n  outgoingemailstatus: {type: choice, arrives: never, doc: Result of the last test of outgoing mail, values: {notRun: 0, success: 1, failure: 2}}\n  actstatus: {type: choice, arrives: never, doc: \"Result of the last test of appointments, contacts and tasks\", values: {notRun: 0, success: 1, failure: 2}}\n  mailboxstatus: {type: choice, arrives: never, doc: Result of the last synchronisation, values: {notRun: 0, success: 1, failure: 2}}\n  enabledforincomingemail: {type: boolean, arrives: never, doc: Incoming mail is enabled}\n  enabledforoutgoingemail: {type: boolean, arrives: never, doc: Outgoing mail is enabled}\n  enabledforact: {type: boolean, arrives: never, doc: \"Appointments, contacts and tasks are enabled\"}\n  emailserverprofile: {type: lookup, doc: The server profile}\n  ownerid: {type: lookup, doc: The user or team that owns the row}\n  regardingobjectid: {type: lookup, doc: The user or queue whose mailbox it is}\n  isforwardmailbox: {type: boolean, doc: A forward mailbox; it belongs to no user or queue}\n  isserviceaccount: {type: boolean, arrives: image, doc: The mailbox of a service account}\n  allowemailconnectortousecredentials: {type: boolean, doc: Stored credentials may be used}\n  username: {type: string, caseless: true, personal: true, doc: User name of stored credentials}\n  ispasswordset: {type: boolean, arrives: never, doc: A password is stored}\n  isoauthaccesstokenset: {type: boolean, arrives: never, doc: An OAuth access token is stored}\n  isoauthrefreshtokenset: {type: boolean, arrives: never, doc: An OAuth refresh token is stored}\n  oauthtokenexpireson: {type: datetime, arrives: never, doc: When the stored OAuth token ends}\n  processanddeleteemails: {type: boolean, arrives: image, doc: Mail is deleted in Exchange after it was processed}\n  processemailreceivedafter: {type: datetime, arrives: never, doc: Mail received before is left alone}\n  undeliverablefolder: {type: string, arrives: never, personal: true, doc: Folder for mail that could not be processed}\n  exchangecontactsimportstatus: {type: choice, arrives: never, doc: Import of the Exchange contacts, values: {notImported: 0, imported: 1, importFailed: 2}}\n  isexchangecontactsimportscheduled: {type: boolean, arrives: never, doc: An import of the Exchange contacts is queued}\n  exchangecontactsimportcompletedon: {type: datetime, arrives: never, doc: When the import of the Exchange contacts ended}\n  officeappsdeploymentstatus: {type: choice, arrives: never, doc: State of the app for Outlook, values: {notInstalled: 0, installed: 1, installFailed: 2, uninstallFailed: 3, upgradeRequired: 4}}\n  acsenabledforoutgoingemail: {type: boolean, arrives: never, doc: Mail goes out by Azure Communication Services}\n  acsmailfromcreated: {type: boolean, arrives: never, doc: The sender exists in Azure Communication Services}\n  acsoutgoingemailstatus: {type: choice, arrives: never, doc: Result of the last test by Azure Communication Services, values: {notRun: 0, success: 1, failure: 2}}\n  isactsyncorgflagset: {type: boolean, arrives: never, doc: This organisation is the primary one for synchronisation}\n  orgmarkedasprimaryforexchangesync: {type: boolean, arrives: never, doc: The organisation is marked as primary in Exchange}\n  postponemailboxprocessinguntil: {type: datetime, arrives: never, doc: The mailbox is left alone until then}\n  postponesendinguntil: {type: datetime, arrives: never, doc: Nothing is sent until then}\n  tagemailsafter: {type: datetime, arrives: never, doc: Mail received after is marked as processed}\n  ewsurl: {type: string, arrives: never, caseless: true, doc: Address of the Exchange web service}\n  verboseloggingenabled: {type: number, arrives: never, doc: \"How much the synchronisation logs, 0 to 100\"}\n  lastsyncerrorcode: {type: number, arrives: never, doc: Code of the last error of the synchronisation}\n  statecode: {type: choice, doc: Active or inactive, values: {active: 0, inactive: 1}}\n  statuscode: {type: choice, arrives: never, doc: Active or inactive, values: {active: 1, inactive: 2}}\n  owner.id: {type: string, caseless: true, form: id, doc: \"Id of the user, queue or team that the mailbox belongs to\"}\n  owner.type: {type: choice, doc: What the owner is, values: {user: user, queue: queue, team: team}}\n  owner.upn: {type: string, caseless: true, form: address, personal: true, doc: Sign-in name of the owner in Dataverse (systemuser.domainname)}\n  owner.objectId: {type: string, caseless: true, form: id, doc: Object id of the owner in Entra}\n  owner.entraUpn: {type: string, caseless: true, form: address, personal: true, doc: Sign-in name of the owner in Entra}\n  owner.names: {type: list, caseless: true, form: person, personal: true, doc: \"Everything by which a list may name the owner: the object id in Entra and every address of theirs; empty for a queue or a team\"}\n  owner.businessUnit: {type: string, doc: Name of the business unit that the owner is in; a queue has its own (owningbusinessunit)}\n  owner.businessUnits: {type: list, doc: Names of that business unit and of all above it}\n  addressOwner.count: {type: number, doc: How many objects of Entra have the address as their own}\n  addressOwner.ids: {type: list, caseless: true, form: id, doc: Object ids of every Entra user who holds the address}\n  addressOwner.upns: {type: list, caseless: true, form: address, personal: true, doc: Sign-in names of every Entra user who holds the address}\n  addressOwner.objectId: {type: string, caseless: true, form: id, doc: Object id of the single Entra user who holds the address; empty without one}\n  addressOwner.upn: {type: string, caseless: true, form: address, personal: true, doc: Sign-in name of the single Entra user who holds the address}\n  addressOwner.isEnabled: {type: boolean, doc: The account of the single Entra user who holds the address is enabled}\n  addressOwner.userType: {type: string, caseless: true, doc: \"Member or Guest, of the single Entra user who holds the address\"}\n  addressOwner.names: {type: list, caseless: true, form: person, personal: true, doc: \"Everything by which a list may name who holds the address: object ids and every address of theirs, and the address itself\"}\n  addressOwner.type: {type: choice, doc: \"What holds the address in Entra, where it is one object\", values: {user: user, group: group, contact: contact}}\n  addressOwner.isPerson: {type: boolean, doc: \"The address is a person''s: of a user whose mailbox is no shared, room or equipment mailbox\"}\n  addressOwner.isDeleted: {type: boolean, doc: \"What holds the address was deleted in Entra, and can be restored\"}\nsystemuser:\n  effects: [reject, hold]\n  id: {type: string, arrives: image, caseless: true, form: id, doc: Id of the row itself}\n  address: {alias: internalemailaddress, doc: Address of the row by one name on every table}\n  approval: {alias: emailrouteraccessapproval, doc: Approval of the address by one name on every table}\n  fullname: {type: string, arrives: image, personal: true, doc: Full name}\n  internalemailaddress: {type: string, caseless: true, form: address, personal: true, doc: Primary e-mail address; its mailbox row follows it}\n  emailrouteraccessapproval: {type: choice, doc: Approval status of the address, values: {empty: 0, approved: 1, pending: 2, rejected: 3}}\n  isemailaddressapprovedbyo365admin: {type: boolean, arrives: image, doc: Set by the platform when a Microsoft 365 administrator approved}\n  incomingemaildeliverymethod: {type: choice, arrives: image, doc: How mail comes in, values: {none: 0, outlook: 1, serverSide: 2, forward: 3}}\n  outgoingemaildeliverymethod: {type: choice, arrives: image, doc: How mail goes out, values: {none: 0, outlook: 1, serverSide: 2}}\n  defaultmailbox: {type: lookup, arrives: never, doc: The mailbox row of the user}\n  domainname: {type: string, caseless: true, form: address, personal: true, doc: Sign-in name (UPN)}\n  azureactivedirectoryobjectid: {type: string, caseless: true, form: id, doc: Object id in Entra}\n  applicationid: {type: string, caseless: true, form: id, doc: Application id of an application user}\n  windowsliveid: {type: string, arrives: never, caseless: true, form: address, personal: true, doc: Windows Live id}\n  personalemailaddress: {type: string, arrives: never, caseless: true, form: address, personal: true, doc: Private address}\n  mobilealertemail: {type: string, arrives: never, caseless: true, form: address, personal: true, doc: Address for alerts}\n  islicensed: {type: boolean, arrives: image, doc: The user has a licence}\n  issyncwithdirectory: {type: boolean, arrives: never, doc: The user is kept in step with the directory}\n  isdisabled: {type: boolean, doc: The user is disabled}\n  accessmode: {type: choice, arrives: image, doc: How the user may sign in, values: {readWrite: 0, administrative: 1, read: 2, supportUser: 3, nonInteractive: 4, delegatedAdmin: 5}}\n  businessunitid: {type: lookup, arrives: image, doc: The business unit}\n  defaultodbfoldername: {type: string, arrives: never, doc: Default folder name}\n  owner.id: {type: string, caseless: true, form: id, doc: \"Id of the user\"}\n  owner.type: {type: choice, doc: Always user, values: {user: user, queue: queue, team: team}}\n  owner.upn: {type: string, caseless: true, form: address, personal: true, doc: Sign-in name of the user in Dataverse}\n  owner.objectId: {type: string, caseless: true, form: id, doc: Object id of the user in Entra}\n  owner.entraUpn: {type: string, caseless: true, form: address, personal: true, doc: Sign-in name of the owner in Entra}\n  owner.names: {type: list, caseless: true, form: person, personal: true, doc: \"Everything by which a list may name the owner: the object id in Entra and every address of theirs\"}\n  owner.businessUnit: {type: string, doc: Name of the business unit that the owner is in; a queue has its own (owningbusinessunit)}\n  owner.businessUnits: {type: list, doc: Names of that business unit and of all above it}\n  addressOwner.count: {type: number, doc: How many objects of Entra have the address as their own}\n  addressOwner.ids: {type: list, caseless: true, form: id, doc: Object ids of every Entra user who holds the address}\n  addressOwner.upns: {type: list, caseless: true, form: address, personal: true, doc: Sign-in names of every Entra user who holds the address}\n  addressOwner.objectId: {type: string, caseless: true, form: id, doc: Object id of the single Entra user who holds the address; empty without one}\n  addressOwner.upn: {type: string, caseless: true, form: address, personal: true, doc: Sign-in name of the single Entra user who holds the address}\n  addressOwner.isEnabled: {type: boolean, doc: The account of the single Entra user who holds the address is enabled}\n  addressOwner.userType: {type: string, caseless: true, doc: \"Member or Guest, of the single Entra user who holds the address\"}\n  addressOwner.names: {type: list, caseless: true, form: person, personal: true, doc: \"Everything by which a list may name who holds the address: object ids and every address of theirs, and the address itself\"}\n  addressOwner.type: {type: choice, doc: \"What holds the address in Entra, where it is one object\", values: {user: user, group: group, contact: contact}}\n  addressOwner.isPerson: {type: boolean, doc: \"The address is a person''s: of a user whose mailbox is no shared, room or equipment mailbox\"}\n  addressOwner.isDeleted: {type: boolean, doc: \"What holds the address was deleted in Entra, and can be restored\"}\nqueue:\n  effects: [reject, hold]\n  id: {type: string, arrives: image, caseless: true, form: id, doc: Id of the row itself}\n  address: {alias: emailaddress, doc: Address of the row by one name on every table}\n  approval: {alias: emailrouteraccessapproval, doc: Approval of the address by one name on every table}\n  name: {type: string, arrives: image, doc: Name of the queue}\n  emailaddress: {type: string, caseless: true, form: address, personal: true, doc: E-mail address of the queue}\n  emailrouteraccessapproval: {type: choice, doc: Approval status of the address, values: {empty: 0, approved: 1, pending: 2, rejected: 3}}\n  isemailaddressapprovedbyo365admin: {type: boolean, arrives: image, doc: Set by the platform when a Microsoft 365 administrator approved}\n  incomingemaildeliverymethod: {type: choice, arrives: image, doc: How mail comes in, values: {none: 0, serverSide: 2, forward: 3}}\n  outgoingemaildeliverymethod: {type: choice, arrives: image, doc: How mail goes out, values: {none: 0, serverSide: 2}}\n  incomingemailfilteringmethod: {type: choice, arrives: image, doc: Which incoming mail becomes an activity, values: {all: 0, replies: 1, contacts: 2, enabledRecords: 3, none: 4}}\n  defaultmailbox: {type: lookup, arrives: never, doc: The mailbox row of the queue}\n  ownerid: {type: lookup, doc: The user or team that owns the queue}\n  queueviewtype: {type: choice, arrives: image, doc: Who sees the queue, values: {public: 0, private: 1}}\n  owningbusinessunit: {type: lookup, arrives: image, doc: The business unit of the queue itself}\n  statecode: {type: choice, doc: Active or inactive, values: {active: 0, inactive: 1}}\n  statuscode: {type: choice, arrives: never, doc: Active or inactive, values: {active: 1, inactive: 2}}\n  owner.id: {type: string, caseless: true, form: id, doc: \"Id of the queue\"}\n  owner.type: {type: choice, doc: Always queue, values: {user: user, queue: queue, team: team}}\n  owner.upn: {type: string, caseless: true, form: address, personal: true, doc: Empty for a queue}\n  owner.objectId: {type: string, caseless: true, form: id, doc: Empty for a queue}\n  owner.entraUpn: {type: string, caseless: true, form: address, personal: true, doc: Sign-in name of the owner in Entra}\n  owner.names: {type: list, caseless: true, form: person, personal: true, doc: \"Empty for a queue\"}\n  owner.businessUnit: {type: string, doc: Name of the business unit that the owner is in; a queue has its own (owningbusinessunit)}\n  owner.businessUnits: {type: list, doc: Names of that business unit and of all above it}\n  addressOwner.count: {type: number, doc: How many objects of Entra have the address as their own}\n  addressOwner.ids: {type: list, caseless: true, form: id, doc: Object ids of every Entra user who holds the address}\n  addressOwner.upns: {type: list, caseless: true, form: address, personal: true, doc: Sign-in names of every Entra user who holds the address}\n  addressOwner.objectId: {type: string, caseless: true, form: id, doc: Object id of the single Entra user who holds the address; empty without one}\n  addressOwner.upn: {type: string, caseless: true, form: address, personal: true, doc: Sign-in name of the single Entra user who holds the address}\n  addressOwner.isEnabled: {type: boolean, doc: The account of the single Entra user who holds the address is enabled}\n  addressOwner.userType: {type: string, caseless: true, doc: \"Member or Guest, of the single Entra user who holds the address\"}\n  addressOwner.names: {type: list, caseless: true, form: person, personal: true, doc: \"Everything by which a list may name who holds the address: object ids and every address of theirs, and the address itself\"}\n  addressOwner.type: {type: choice, doc: \"What holds the address in Entra, where it is one object\", values: {user: user, group: group, contact: contact}}\n  addressOwner.isPerson: {type: boolean, doc: \"The address is a person''s: of a user whose mailbox is no shared, room or equipment mailbox\"}\n  addressOwner.isDeleted: {type: boolean, doc: \"What holds the address was deleted in Entra, and can be restored\"}\nemailserverprofile:\n  effects: [reject, hold]\n  arrives: never\n  name: {type: string, doc: Name of the profile}\n  servertype: {type: choice, doc: What kind of server it is, values: {exchangeServer: 0, other: 1, exchangeHybrid: 2, exchangeOnline: 3, imapSmtp: 4}}\n  incomingcredentialretrieval: {type: choice, doc: Whose credentials read mail; ownApp is an Entra application of your own, values: {userOrQueue: 0, profile: 1, serverToServer: 2, windowsIntegrated: 3, anonymous: 4, gmailOAuth: 5, hybridModern: 6, ownApp: 7}}\n  outgoingcredentialretrieval: {type: choice, doc: Whose credentials send mail; ownApp is an Entra application of your own, values: {userOrQueue: 0, profile: 1, serverToServer: 2, windowsIntegrated: 3, anonymous: 4, gmailOAuth: 5, hybridModern: 6, ownApp: 7}}\n  incomingauthenticationprotocol: {type: choice, doc: How the profile signs in to read, values: {autoDetect: 0, negotiate: 1, ntlm: 2, basic: 3, oauth: 4}}\n  outgoingauthenticationprotocol: {type: choice, doc: How the profile signs in to send, values: {autoDetect: 0, negotiate: 1, ntlm: 2, basic: 3, oauth: 4}}\n  incominguseimpersonation: {type: boolean, doc: Mail is read by impersonation}\n  outgoinguseimpersonation: {type: boolean, doc: Mail is sent by impersonation}\n  outgoingautograntdelegateaccess: {type: boolean, doc: Delegate access is granted by itself}\n  incomingserverlocation: {type: string, caseless: true, doc: Server from which mail is read}\n  outgoingserverlocation: {type: string, caseless: true, doc: Server by which mail is sent}\n  defaultserverlocation: {type: string, caseless: true, doc: Server that is used unless another is named}\n  incomingportnumber: {type: number, doc: Port from which mail is read}\n  outgoingportnumber: {type: number, doc: Port by which mail is sent}\n  incomingusessl: {type: boolean, doc: Mail is read over TLS}\n  outgoingusessl: {type: boolean, doc: Mail is sent over TLS}\n  useautodiscover: {type: boolean, doc: The server is found by autodiscover}\n  usesamesettingsforoutgoingconnections: {type: boolean, doc: Sending uses the settings of reading}\n  exchangeonlinetenantid: {type: string, caseless: true, doc: Tenant whose Exchange Online is used}\n  usedefaulttenantid: {type: boolean, doc: The tenant of the organisation is used}\n  oauthclientid: {type: string, caseless: true, doc: Application id of your own Entra application}\n  aadresourceid: {type: string, caseless: true, doc: Resource for which tokens are asked}\n  managedidentityid: {type: lookup, doc: Managed identity of the profile}\n  keyvaultreferenceid: {type: lookup, doc: Where the secret of the application lies}\n  moveundeliveredemails: {type: boolean, doc: Mail that could not be processed is moved away}\n  processemailsreceivedafter: {type: datetime, doc: Mail received before is left alone}\n  maxconcurrentconnections: {type: number, doc: Most connections at once}\n  minpollingintervalinminutes: {type: number, doc: Least minutes between two looks}\n  sendemailalert: {type: boolean, doc: The owner is told when most mailboxes fail}\n  owneremailaddress: {type: string, caseless: true, form: address, personal: true, doc: Address of the profile''s owner}\n  ownerid: {type: lookup, doc: The user or team that owns the profile}\n  statecode: {type: choice, doc: Active or inactive, values: {active: 0, inactive: 1}}\n  statuscode: {type: choice, doc: Active or inactive, values: {active: 1, inactive: 2}}\n# A message is what the sync finds in an approved mailbox. Its verdict is track unless a rule says\n# otherwise.\nmessage:\n  effects: [skip, metadata-only]\n  from: {type: string, caseless: true, form: address, personal: true, doc: Address of the sender}\n  to: {type: list, caseless: true, form: address, personal: true, doc: Addresses of the recipients}\n  cc: {type: list, caseless: true, form: address, personal: true, doc: Addresses that get a copy}\n  domain: {type: string, caseless: true, form: domain, doc: Domain of the sender}\n  domains: {type: list, caseless: true, form: domain, doc: Domains of everybody on the message}\n  internal: {type: boolean, doc: Everybody on the message is of an allowed domain}\n  category: {type: list, caseless: true, doc: Categories that the mailbox''s owner has given it}\n  sensitivity: {type: choice, doc: Sensitivity that the sender has given it, values: {normal: normal, personal: personal, private: private, confidential: confidential}}\n  importance: {type: choice, doc: Importance that the sender has given it, values: {low: low, normal: normal, high: high}}\n  size: {type: number, doc: Size in bytes}\n  folder: {type: string, caseless: true, doc: \"Folder it lies in, by its well-known name such as inbox\"}\n  subject: {type: string, caseless: true, personal: true, doc: Subject}\n  direction: {type: choice, doc: Whether it came in or went out, values: {incoming: incoming, outgoing: outgoing}}\n  isdraft: {type: boolean, doc: It has not been sent}\n  hasattachments: {type: boolean, doc: It has attachments}\n  receivedon: {type: datetime, doc: When it was received}\n  mailbox: {type: string, caseless: true, form: address, personal: true, doc: Address of the mailbox it lies in}\nactor:\n  id: {type: string, caseless: true, form: id, doc: systemuserid of who started the change}\n  upn: {type: string, caseless: true, form: address, personal: true, doc: Sign-in name of the actor}\n  objectId: {type: string, caseless: true, form: id, doc: Object id of the actor in Entra}\n  names: {type: list, caseless: true, form: person, personal: true, doc: \"Everything by which a list may name the actor: the object id in Entra and every address of theirs; of an application the object id alone\"}\n  onBehalfBy: {type: string, caseless: true, form: id, doc: \"systemuserid of who made the change in the actor''s name (modifiedonbehalfby, createdonbehalfby); empty when the actor did. The change is judged as the act of each\"}\n  kind: {type: choice, doc: What the actor is, values: {user: user, application: application, system: system, guard: guard}}\n  roles: {type: list, caseless: true, doc: \"Display names of the actor''s roles, direct and through teams; names can be imitated, so decide by ids\"}\n  roleIds: {type: list, caseless: true, form: id, doc: Ids of the actor''s roles}\n  roleTemplates: {type: list, caseless: true, form: id, doc: Role template ids of the actor''s roles}\n  entraRoles: {type: list, caseless: true, form: id, doc: Template ids of the actor''s Entra directory roles}\n  isSystemAdministrator: {type: boolean, doc: The actor holds the role System Administrator}\n  isDelegatedApprover: {type: boolean, doc: The actor holds the role Delegated Mailbox Approver}\n  canApproveEmail: {type: boolean, doc: The actor holds the privilege prvApproveRejectEmailAddress}\n  businessUnit: {type: string, doc: Name of the business unit that the actor is in}\n  businessUnits: {type: list, doc: Names of that business unit and of all above it}\n  recentChanges: {type: number, doc: \"Rows whose address the actor changed or approved, or tried to, within the last hour, this one included\"}\n  similarChanges: {type: number, doc: \"The same within the last ten minutes, on the same table and in the same way\"}\nrequest:\n  columns: {type: list, caseless: true, doc: \"Logical names of the columns that were sent, whether or not they differ\"}\n  depth: {type: number, doc: 1 for a direct call; more for a nested one}\n  stage: {type: number, doc: \"20 before the change, 40 after it\"}\n  mode: {type: number, doc: \"0 synchronous, 1 asynchronous\"}\n  userAgent: {type: string, caseless: true, doc: Program that made the change}\n  time: {type: datetime, doc: When the change is decided; the one time that rules can see}\n# What the guard remembers, and what Entra and Exchange say beyond owner.*. What is to be known of the owner\n# stands here and not under owner, because a missing owner.* decides whether a Create may wait for its owner.\nfacts:\n  ownerAddresses: {type: list, caseless: true, form: address, personal: true, doc: \"Every address that the owner''s Entra object holds: sign-in name, primary address, aliases\"}\n  ownerIsEnabled: {type: boolean, doc: The owner''s account is enabled in Entra}\n  ownerIsGuest: {type: boolean, doc: The owner is a guest in Entra}\n  ownerIsLicensed: {type: boolean, doc: The owner has an Exchange plan in force in Entra}\n  ownerElsewhere: {type: number, doc: \"How many other user rows name the owner''s Entra object or sign-in name\"}\n  mailboxPurpose: {type: choice, doc: \"What Exchange says that the owner''s own mailbox is for (userPurpose); empty for queues and teams\", values: {user: user, linked: linked, shared: shared, room: room, equipment: equipment, others: others}}\n  addressChangedBy: {type: string, caseless: true, form: id, doc: systemuserid of who last changed the address of the record; empty if nobody did within a year}\n  addressChangedOn: {type: datetime, doc: When the address of the record was last changed; empty if it was not within a year}\n  addressElsewhere: {type: number, doc: \"How many other mailboxes, users and queues have the address; rows that belong together count as one\"}\n  formerAddresses: {type: list, caseless: true, form: address, personal: true, doc: \"Addresses that the record had before within the last year, as far as its fifty newest decisions tell\"}\n  formerHolderLeft: {type: boolean, doc: Another user row has the address and is disabled}\n  stewardLeft: {type: boolean, doc: \"The person in ownerid is gone or disabled, in Dataverse or in Entra\"}\n# Nothing supplies these: each needs more than the guard may ask for.\n  ownerEmployment: {type: choice, arrives: never, doc: Whether the owner works here now, values: {active: active, leave: leave, left: left}}\n  exceptionUses: {type: number, arrives: never, doc: How many changes of the actor an exception let through within the last thirty days}\n  exceptionApprovedByActor: {type: boolean, arrives: never, doc: \"The actor approved an exception that is in force for this record\"}\n","own-address-only.yaml":"apiVersion: guard/v1\nkind: Policy\nname: own-address-only\nseverity: critical\nmatch:\n  entity: mailbox\n  operations: [create, update]\n  when:\n    - field: address\n      changed: true\nrules:\n  - id: same-as-owner\n    require:\n      - field: address\n        equals: {field: owner.upn}\n    unless:\n      - field: owner.type\n        in: [queue, team]\n    message: \"{address} is not the address of the mailbox''s owner ({owner.upn}).\"\n    help: Set the address to the owner''s sign-in name.\n"}}',1795435200000000);
CREATE TABLE guard_writes (
	nonce TEXT NOT NULL, 
	record_ids TEXT NOT NULL, 
	columns TEXT NOT NULL, 
	issued_at BIGINT NOT NULL, 
	CONSTRAINT pk_guard_writes PRIMARY KEY (nonce)
);
CREATE TABLE guard_written (
	record_id TEXT NOT NULL, 
	announced_at BIGINT NOT NULL, 
	CONSTRAINT pk_guard_written PRIMARY KEY (record_id)
);
CREATE TABLE kernel_acts (
	number INTEGER NOT NULL, 
	at BIGINT NOT NULL, 
	kind TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	commitment TEXT NOT NULL, 
	private TEXT, 
	salt TEXT, 
	digest TEXT NOT NULL, 
	CONSTRAINT pk_kernel_acts PRIMARY KEY (number)
);
INSERT INTO "kernel_acts" VALUES(1,1795435200000000,'policy-set','46688a3fb6c463aeea63564ac55f31303de3b8d0bfe4a21f7bc1d3642a278026','5086c99fb6b2d15d0735a679f57166bd097ddd563eaf90ecea6276ecf0c613ef',NULL,NULL,'4a75b2592a3379d50071eb67664060907359d2821679edfb436820367fb67091');
INSERT INTO "kernel_acts" VALUES(2,1795435380000000,'grant','m1','64cfad022adf40c737e627df2ae455f7c5e08e2d4f14a5f65c60fabe77453bb2','{"address":"m1@contoso.com","cause":null,"changed_at":1795435380000000,"epoch":1,"evidence":{"decision_id":"01a20846-fe00-70d1-af84-94e05f7245fd"},"object_id":"om1","owner_id":"u1","owner_type":"user","reason":"","record_id":"m1","state":"approved","until":null,"withdrawn_by":null}','0ccd1f2aeb576fec93bee958980f3f09','055b316922ddb2045dfd80112d7053dd6b227b530521ef04faa0467fc3da45b4');
INSERT INTO "kernel_acts" VALUES(3,1795435380000000,'grant','m2','914ab6f539a5e8a5e9122dc3cf47bca8b7b21ab874a9c494818519b92ab3b04a','{"address":"m2@contoso.com","cause":null,"changed_at":1795435380000000,"epoch":1,"evidence":{"decision_id":"01a20846-fe00-70d1-af84-94e05f7245fd"},"object_id":"om2","owner_id":"u1","owner_type":"user","reason":"","record_id":"m2","state":"approved","until":null,"withdrawn_by":null}','e5d7effc2fbe5f85c34fe44d754394dc','a7e6034e07bf31ba18c63670e71ca81cb6be180cf0c01073e82ccbc696281b0a');
INSERT INTO "kernel_acts" VALUES(4,1795435380000000,'withdrawal','m2','ce07af41656f68d2800922dec2d32d92fe2724d9008bb2597668ef3f2207930f','{"address":"m2@contoso.com","cause":"person","changed_at":1795435380000000,"epoch":2,"evidence":{"decision_id":"01a20846-fe00-70d1-af84-94e05f7245fd"},"object_id":"om2","owner_id":"u1","owner_type":"user","reason":"left","record_id":"m2","state":"withdrawn","until":null,"withdrawn_by":"Robin"}','551aeccd02b11d11ca38196276c761f5','fcbb67937278eef2673be147dc395f814cb92922c35066b6053c0540db59c319');
INSERT INTO "kernel_acts" VALUES(5,1795435380000000,'masking','01a20848-d2c0-72f9-aa72-974d493a155b','',NULL,NULL,'65140f449993ee65d4b01836a88b90d1b61768b2d724bfa25cbd1a56a1060d4b');
CREATE TABLE kernel_acts_end (
	id INTEGER NOT NULL, 
	count BIGINT NOT NULL, 
	digest TEXT NOT NULL, 
	CONSTRAINT pk_kernel_acts_end PRIMARY KEY (id)
);
INSERT INTO "kernel_acts_end" VALUES(1,5,'65140f449993ee65d4b01836a88b90d1b61768b2d724bfa25cbd1a56a1060d4b');
CREATE TABLE kernel_approvals (
	record_id TEXT NOT NULL, 
	address TEXT NOT NULL, 
	object_id TEXT NOT NULL, 
	owner_id TEXT NOT NULL, 
	owner_type TEXT NOT NULL, 
	evidence TEXT NOT NULL, 
	state TEXT NOT NULL, 
	cause TEXT, 
	epoch INTEGER NOT NULL, 
	reason TEXT NOT NULL, 
	withdrawn_by TEXT, 
	changed_at BIGINT NOT NULL, 
	until BIGINT, 
	looked_up_at BIGINT NOT NULL, 
	CONSTRAINT pk_kernel_approvals PRIMARY KEY (record_id)
);
INSERT INTO "kernel_approvals" VALUES('m1','m1@contoso.com','om1','u1','user','{"decision_id":"01a20846-fe00-70d1-af84-94e05f7245fd"}','approved',NULL,1,'',NULL,1795435380000000,NULL,1795435380000000);
INSERT INTO "kernel_approvals" VALUES('m2','m2@contoso.com','om2','u1','user','{"decision_id":"01a20846-fe00-70d1-af84-94e05f7245fd"}','withdrawn','person',2,'left','Robin',1795435380000000,NULL,1795435380000000);
CREATE TABLE kernel_organization (
	id TEXT NOT NULL, 
	CONSTRAINT pk_kernel_organization PRIMARY KEY (id)
);
CREATE TABLE kernel_pulse (
	id INTEGER NOT NULL, 
	at BIGINT NOT NULL, 
	filler TEXT NOT NULL, 
	CONSTRAINT pk_kernel_pulse PRIMARY KEY (id)
);
CREATE TABLE kernel_schema (
	number INTEGER NOT NULL, 
	CONSTRAINT pk_kernel_schema PRIMARY KEY (number)
);
INSERT INTO "kernel_schema" VALUES(1);
CREATE TABLE kernel_shards (
	shard INTEGER NOT NULL, 
	holder TEXT NOT NULL, 
	fence INTEGER NOT NULL, 
	leased_until BIGINT NOT NULL, 
	CONSTRAINT pk_kernel_shards PRIMARY KEY (shard)
);
CREATE TABLE kernel_stops (
	brake TEXT NOT NULL, 
	scope TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	record_id TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	since BIGINT NOT NULL, 
	released_at BIGINT, 
	CONSTRAINT pk_kernel_stops PRIMARY KEY (brake, scope, subject, record_id)
);
CREATE TABLE kernel_tasks (
	id INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	token TEXT NOT NULL, 
	payload TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	subject TEXT, 
	epoch INTEGER, 
	shard INTEGER NOT NULL, 
	lane TEXT NOT NULL, 
	not_before BIGINT NOT NULL, 
	attempts INTEGER NOT NULL, 
	state TEXT NOT NULL, 
	cause TEXT, 
	result TEXT, 
	error_code TEXT, 
	hint TEXT, 
	trying_since BIGINT, 
	released_at BIGINT, 
	fence INTEGER NOT NULL, 
	claimed_until BIGINT, 
	added_at BIGINT NOT NULL, 
	CONSTRAINT pk_kernel_tasks PRIMARY KEY (id), 
	CONSTRAINT uq_kernel_tasks_kind_key UNIQUE (kind, "key")
);
INSERT INTO "kernel_tasks" VALUES(1,'revert','01a20847-e860-727d-aa13-5ac4721f250c','35dd631cbd994db2bbec11f8b80ea85e','{"table":"mailbox"}','01a20847-e860-727d-aa13-5ac4721f250c',NULL,NULL,0,'common',1795435260000000,0,'queued',NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,1795435260000000);
CREATE TABLE sync_access (
	id INTEGER NOT NULL, 
	at BIGINT NOT NULL, 
	record_id TEXT NOT NULL, 
	object_id TEXT NOT NULL, 
	workload TEXT NOT NULL, 
	operation TEXT NOT NULL, 
	item_count INTEGER NOT NULL, 
	epoch INTEGER NOT NULL, 
	reason TEXT NOT NULL, 
	CONSTRAINT pk_sync_access PRIMARY KEY (id)
);
INSERT INTO "sync_access" VALUES(1,1795435380000000,'m1','om1','incoming-mail','messages',2,1,'approved mailbox');
CREATE TABLE sync_links (
	object_id TEXT NOT NULL, 
	item_id TEXT NOT NULL, 
	workload TEXT NOT NULL, 
	folder TEXT NOT NULL, 
	state TEXT NOT NULL, 
	place TEXT NOT NULL, 
	shared_id TEXT, 
	row_id TEXT, 
	is_metadata_only BOOLEAN NOT NULL, 
	has_weak_key BOOLEAN NOT NULL, 
	round INTEGER NOT NULL, 
	changed_at BIGINT NOT NULL, 
	CONSTRAINT pk_sync_links PRIMARY KEY (object_id, item_id)
);
CREATE TABLE sync_mailboxes (
	record_id TEXT NOT NULL, 
	state TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	is_paused BOOLEAN NOT NULL, 
	next_at BIGINT, 
	empty_answers INTEGER NOT NULL, 
	changed_at BIGINT NOT NULL, 
	CONSTRAINT pk_sync_mailboxes PRIMARY KEY (record_id)
);
CREATE TABLE sync_passes (
	pass_id TEXT NOT NULL, 
	shard INTEGER NOT NULL, 
	state TEXT NOT NULL, 
	answer TEXT, 
	requested_at BIGINT NOT NULL, 
	answered_at BIGINT, 
	CONSTRAINT pk_sync_passes PRIMARY KEY (pass_id, shard)
);
CREATE TABLE sync_payloads (
	object_id TEXT NOT NULL, 
	item_id TEXT NOT NULL, 
	body BLOB NOT NULL, 
	stored_at BIGINT NOT NULL, 
	CONSTRAINT pk_sync_payloads PRIMARY KEY (object_id, item_id)
);
CREATE TABLE sync_quarantine (
	object_id TEXT NOT NULL, 
	item_id TEXT NOT NULL, 
	workload TEXT NOT NULL, 
	record_id TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	first_at BIGINT NOT NULL, 
	last_at BIGINT NOT NULL, 
	times INTEGER NOT NULL, 
	is_named BOOLEAN NOT NULL, 
	CONSTRAINT pk_sync_quarantine PRIMARY KEY (object_id, item_id)
);
CREATE TABLE sync_streams (
	stream_id TEXT NOT NULL, 
	record_id TEXT NOT NULL, 
	object_id TEXT NOT NULL, 
	workload TEXT NOT NULL, 
	folder TEXT NOT NULL, 
	folder_id TEXT, 
	cursor TEXT, 
	page_cursor TEXT, 
	round INTEGER NOT NULL, 
	is_full BOOLEAN NOT NULL, 
	epoch INTEGER NOT NULL, 
	brake TEXT, 
	brake_count INTEGER, 
	brake_total INTEGER, 
	cursor_at BIGINT, 
	fresh_as_of BIGINT, 
	link_failures INTEGER NOT NULL, 
	CONSTRAINT pk_sync_streams PRIMARY KEY (stream_id)
);
CREATE TABLE sync_verdicts (
	object_id TEXT NOT NULL, 
	item_id TEXT NOT NULL, 
	workload TEXT NOT NULL, 
	fate TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	rule TEXT, 
	decided_at BIGINT NOT NULL, 
	CONSTRAINT pk_sync_verdicts PRIMARY KEY (object_id, item_id)
);
CREATE INDEX ix_guard_mirror_address ON guard_mirror (address);
CREATE INDEX ix_guard_mirror_owner ON guard_mirror (owner_id);
CREATE INDEX ix_kernel_acts_subject ON kernel_acts (subject, number);
CREATE INDEX ix_kernel_stops_record ON kernel_stops (record_id);
CREATE INDEX ix_kernel_tasks_due ON kernel_tasks (state, lane, not_before);
CREATE INDEX ix_kernel_tasks_owner ON kernel_tasks (owner);
CREATE INDEX ix_sync_access_record_id ON sync_access (record_id);
CREATE INDEX ix_sync_links_object_id_state ON sync_links (object_id, state);
CREATE INDEX ix_sync_links_row_id ON sync_links (row_id);
CREATE INDEX ix_sync_passes_state ON sync_passes (state);
CREATE INDEX ix_sync_payloads_stored_at ON sync_payloads (stored_at);
CREATE INDEX ix_sync_quarantine_record_id ON sync_quarantine (record_id);
CREATE INDEX ix_sync_streams_record_id ON sync_streams (record_id);
COMMIT;
