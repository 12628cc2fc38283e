"""The columns of the larger tables, a line each; `schema` reads them.

`!r` is written by the platform alone, `!w` is never read back, `=` is the default.
"""

from __future__ import annotations

OWNED = """
ownerid lookup:systemuser,team
owningbusinessunit lookup:businessunit !r
"""
STATE = """
statecode choice:state =0
statuscode choice:status =1
"""
ROUTING = """
emailrouteraccessapproval choice:approval =0
isemailaddressapprovedbyo365admin bool =false !r
incomingemaildeliverymethod choice:incoming =0
outgoingemaildeliverymethod choice:outgoing =0
defaultmailbox lookup:mailbox !r
"""

MAILBOX = """
name string:200
emailaddress string:100
emailrouteraccessapproval choice:approval =0
isemailaddressapprovedbyo365admin bool =false
incomingemaildeliverymethod choice:incoming =0
outgoingemaildeliverymethod choice:outgoing =0
actdeliverymethod choice:act =2
incomingemailstatus choice:test =0
outgoingemailstatus choice:test =0
actstatus choice:test =0
mailboxstatus choice:test =0 !r
enabledforincomingemail bool =true
enabledforoutgoingemail bool =true
enabledforact bool =true
testemailconfigurationscheduled bool =false
testemailconfigurationretrycount int =0
testmailboxaccesscompletedon datetime
postponetestemailconfigurationuntil datetime
emailserverprofile lookup:emailserverprofile
regardingobjectid lookup:systemuser,queue !r
isforwardmailbox bool =false !r
isserviceaccount bool =false !r
allowemailconnectortousecredentials bool =false
username string:200
password string:200 !w
ispasswordset bool =false !r
oauthaccesstoken string:1024 !w
oauthrefreshtoken string:256 !w
processanddeleteemails bool =false
processemailreceivedafter datetime
isactsyncorgflagset bool =false
orgmarkedasprimaryforexchangesync bool =false
exchangecontactsimportstatus int =0
officeappsdeploymentstatus int =0
lastsuccessfulsynccompletedon datetime
lastsyncstartedon datetime !r
lastsyncerror string:2048
lastsyncerrorcode int
lastsyncerrorcount int
itemsprocessedforlastsync int
itemsfailedforlastsync int
transientfailurecount int !r
processingstatecode int !r
processinglastattemptedon datetime
mailboxprocessingcontext int
hostid string:256 !r
receivingpostponeduntil datetime !r
postponemailboxprocessinguntil datetime
postponesendinguntil datetime
lastmessageid string:320
undeliverablefolder string:256
ewsurl string:2084
verboseloggingenabled int =0
"""

SYSTEMUSER = """
fullname string:200
firstname string:256
lastname string:256
domainname string:1024
internalemailaddress string:100
windowsliveid string:1024
personalemailaddress string:100
mobilealertemail string:100
azureactivedirectoryobjectid guid
applicationid guid
applicationiduri string:1024
accessmode choice:access =0
isdisabled bool =false
islicensed bool =true !r
issyncwithdirectory bool =true !r
defaultodbfoldername string:200
businessunitid lookup:businessunit
"""

EMAIL = """
subject string:200
description string
sender string:250
torecipients string:500
submittedby string:250
messageid string:320
messageiddupcheck guid !r
trackingtoken string:50
mimetype string:256
directioncode bool =true
deliveryattempts int
deliveryprioritycode choice:priority =1
prioritycode choice:priority =1
notifications choice:notifications =0
parentactivityid lookup:email
conversationtrackingid guid
baseconversationindexhash int
delayedemailsendtime datetime
sendersaccountname string:200
emailsendername string:200
actualstart datetime
actualend datetime
scheduledstart datetime
scheduledend datetime
senton datetime !r
regardingobjectid lookup:contact,account,queue,systemuser
conversationindex string:2048 !r
inreplyto string:320 !r
correlationmethod choice:correlation =0 !r
correlatedactivityid lookup:email !r
sendermailboxid lookup:mailbox !r
emailsender lookup:systemuser,queue,contact,account !r
receivingmailboxid lookup:mailbox !r
acceptingentityid lookup:systemuser,queue !r
postponeemailprocessinguntil datetime !r
attachmentcount int =0 !r
safedescription string !r
activitytypecode string !r
statecode choice:emailstate =0
statuscode choice:emailstatus =1
"""

PROFILE = """
name string:200
description string
servertype choice:servertype =3
defaultserverlocation string:1024
owneremailaddress string:100
exchangeonlinetenantid string:36
oauthclientid string:1024
oauthclientsecret string:1024 !w
incomingcredentialretrieval int =2
outgoingcredentialretrieval int =2
incomingauthenticationprotocol int =0
outgoingauthenticationprotocol int =0
incomingserverlocation string:1024
outgoingserverlocation string:1024
incominguseimpersonation bool =false
outgoinguseimpersonation bool =false
incomingusessl bool =true
outgoingusessl bool =true
useautodiscover bool =true
usedefaulttenantid bool =true
processemailsreceivedafter datetime
maxconcurrentconnections int =10
minpollingintervalinminutes int =0
moveundeliveredemails bool =false
sendemailalert bool =true
"""

ENDPOINT = """
name string:256
description string
url string:2000
contract choice:contract
authtype choice:endpointauth
authvalue string:2048 !w
isauthvalueset bool =false !r
messageformat int =2
messagecharset int =0
userclaim int =1
connectionmode int =1
namespaceformat int
namespaceaddress string:160
path string:160
solutionnamespace string:160
saskey string:200 !w
saskeyname string:256
"""

STEP = """
name string:256
description string:256
stage choice:stage
mode choice:mode
rank int =1
supporteddeployment int =0
invocationsource int =0
asyncautodelete bool =false
filteringattributes string
canbebypassed bool =false
configuration string
eventhandler lookup:serviceendpoint,plugintype
sdkmessageid lookup:sdkmessage
sdkmessagefilterid lookup:sdkmessagefilter
impersonatinguserid lookup:systemuser
plugintypeid lookup:plugintype
statecode choice:stepstate =0
statuscode choice:stepstatus =1
"""

IMAGE = """
name string:256
description string:256
entityalias string:256
imagetype choice:image
messagepropertyname string:256
attributes string
relatedattributename string:256
sdkmessageprocessingstepid lookup:sdkmessageprocessingstep
"""

JOB = """
name string:256
message string
friendlymessage string
errorcode int
operationtype int =1
messagename string
depth int
primaryentitytype string
correlationid guid
owningextensionid lookup:sdkmessageprocessingstep
regardingobjectid lookup:mailbox,systemuser,queue,email
startedon datetime
completedon datetime
retrycount int =0
statecode choice:jobstate =0
statuscode choice:jobstatus =0
"""

ORGANIZATION = """
name string:160
requireapprovalforuseremail bool =true
requireapprovalforqueueemail bool =true
maxuploadfilesize int =5242880
expirechangetrackingindays int =7
orgdborgsettings string
isauditenabled bool =false
trackingprefix string:256
"""
